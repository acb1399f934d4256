// KVM's structures and requests as the kernel has them.
//
// The kernel's headers of Debian 12 wrap arrays at the end of structures in a way that makes them larger in
// C++ than in C (an empty struct has a size there), and the size is part of a request's number. Newer ones do
// what is done here.
#pragma once

#include <linux/stddef.h>
#undef __DECLARE_FLEX_ARRAY
#define __DECLARE_FLEX_ARRAY(TYPE, NAME) TYPE NAME[0]
#include <linux/kvm.h>

static_assert(sizeof(kvm_xsave) == 4096 && KVM_GET_XSAVE == 0x9000aea4);
static_assert(sizeof(kvm_cpuid2) == 8 && KVM_SET_CPUID2 == 0x4008ae90);
static_assert(sizeof(kvm_msrs) == 8 && KVM_GET_MSRS == 0xc008ae88);
