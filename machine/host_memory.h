// check_host_memory: whether the host can give as much RAM as a guest is promised.
#pragma once

#include "base/result.h"
#include "base/types.h"

namespace ringshift {

// Guest RAM is given lazily, so a promise that can't be kept would end in the host's OOM killer. Compares
// with the host's RAM and swap, and with the control group's limit.
Result<void> check_host_memory(u64 bytes);

}  // namespace ringshift
