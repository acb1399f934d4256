/* The layouts of Xen's structures in a 32-bit guest: compiled by gcc -m32 from Xen's headers as they are. */
#include <stddef.h>
#include <stdint.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

const unsigned layout[] = {
#define LAYOUT_SIZE(guest, monitor) sizeof(guest),
#define LAYOUT_FIELD(guest, monitor, field) offsetof(guest, field),
#include "paravirt/abi/layout_table.h"
};
