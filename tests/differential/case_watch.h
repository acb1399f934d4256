// CaseWatch: code that goes round for ever, where it shouldn't, ends the program with the case's number.
#pragma once

#include <time.h>

#include "base/types.h"

namespace ringshift::differential {

// One at a time; by SIGALRM and a timer of CPU time.
class CaseWatch {
 public:
  explicit CaseWatch(u64 seed);
  ~CaseWatch();
  CaseWatch(const CaseWatch&) = delete;
  // A case begins.
  void begin(u64 number);
  // What has taken its time was no case.
  void rest();

 private:
  u64 begun_ = 0;
  timer_t timer_{};
};

}  // namespace ringshift::differential
