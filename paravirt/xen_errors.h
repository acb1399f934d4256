// Xen's error numbers (xen/errno.h), negative in EAX.
#pragma once

#include "paravirt/abi/xen_public.h"

namespace ringshift::xen {

using xen32::XEN_EEXIST;
using xen32::XEN_EFAULT;
using xen32::XEN_EINVAL;
using xen32::XEN_ENOENT;
using xen32::XEN_ENOSYS;
using xen32::XEN_EPERM;
using xen32::XEN_ESRCH;
using xen32::XEN_ETIME;

}  // namespace ringshift::xen
