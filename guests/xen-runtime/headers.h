// Xen's public headers, as Debian's libxen-dev has them, of one interface version.
#pragma once

#include <stdint.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/callback.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/xen.h>
