// Numbers of system calls.
#pragma once

#include "runtime/types.h"

enum Call : u32 {
  kNothing,  // what a null system call costs
  kExit,     // (value)
  kYield,    // 1: others ran; 0: there are none
  kFork,     // 1 to the parent, 0 to the child
  kWait,     // for any child: what it ended with
  kResume,   // (eip): where to go on after an exception
  kBatch,    // (cycles of the last batch): how many times to do it next, 0 for no more
  kSample,   // (cycles): one sample
  kRead,     // (address, bytes): of the source text that the kernel makes up
  kWrite,    // (address, bytes): its sum
  kCalls
};
