// DomainEnd: how a domain ends: by its own will, or because it did what Xen kills a domain for.
#pragma once

#include <functional>
#include <string>

#include "cpu-model/cpu.h"

namespace ringshift::xen {

class DomainEnd {
 public:
  // report: told once, on the vCPU's thread, with what the guest did and its state.
  DomainEnd(Cpu& cpu, std::function<void(std::string)> report) : cpu_(cpu), report_(std::move(report)) {}

  template <class... Args>
  void crash(fmt::format_string<Args...> format, Args&&... args) {
    crash_with(fmt::format(format, std::forward<Args>(args)...));
  }
  bool crashed() const { return crashed_; }
  // The guest executes nothing more.
  void stop() {
    cpu_.state.halted = 1;
    cpu_.control.raise_event(kEventInspect);
  }

 private:
  void crash_with(const std::string& what);
  Cpu& cpu_;
  std::function<void(std::string)> report_;
  bool crashed_ = false;
};

}  // namespace ringshift::xen
