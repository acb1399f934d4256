// The program's exit statuses.
//
// isa-debug-exit gives (v << 1) | 1, always odd; the program's own are even, so that they can't collide.
#pragma once

#include "base/result.h"

namespace ringshift {

inline constexpr int kExitSuccess = 0;  // power-off, reset under -no-reboot, Ctrl-A X
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInputFile = 4;  // unreadable or malformed kernel or initrd
inline constexpr int kExitEngineUnavailable = 6;
inline constexpr int kExitTripleFault = 8;
inline constexpr int kExitInternal = 10;
inline constexpr int kExitDiffer = 12;    // ringshift lockstep: the engines differ
inline constexpr int kExitTimeout = 124;  // as timeout(1) has it

constexpr int exit_status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return kExitUsage;
    case ErrorKind::input_file:
      return kExitInputFile;
    case ErrorKind::engine_unavailable:
      return kExitEngineUnavailable;
    case ErrorKind::internal:
      break;
  }
  return kExitInternal;
}

// Says on stderr what is wrong, and returns the status for it.
int complain(const Error& error);

}  // namespace ringshift
