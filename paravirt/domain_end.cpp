// The report of a domain that was killed.
#include "paravirt/domain_end.h"

#include "cpu-model/triple_fault.h"

namespace ringshift::xen {

void DomainEnd::crash_with(const std::string& what) {
  if (crashed_) return;
  crashed_ = true;
  report_(what + "\n" + describe_state(cpu_.state));
  stop();
}

}  // namespace ringshift::xen
