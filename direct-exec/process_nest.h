// ProcessNest: makes guest processes, by forking one that is empty already.
//
// The first is forked from the monitor and stripped of all that it inherited: mappings, descriptors but for
// guest memory's, rseq. It runs no guest code. All its children are tracees of the thread that made the nest.
#pragma once

#include <memory>

#include "direct-exec/guest_process.h"

namespace ringshift {

class ProcessNest {
 public:
  // memory_fd: guest RAM. Fails where the host forbids ptrace, or lacks what is needed.
  static Result<std::unique_ptr<ProcessNest>> create(int memory_fd);
  ~ProcessNest();
  ProcessNest(const ProcessNest&) = delete;

  Result<std::unique_ptr<GuestProcess>> spawn();
  // Below it the host lets nobody map anything (vm.mmap_min_addr).
  u64 lowest_mapping() const { return lowest_; }
  // Whether CPUID traps in its processes.
  bool cpuid_faults() const { return cpuid_faults_; }
  // The thread that may use its processes.
  pid_t tracer() const { return tracer_; }

 private:
  explicit ProcessNest(ProcessStub stub);
  Result<void> start(int memory_fd);
  Result<void> strip();
  u64 probe_lowest();

  ProcessStub stub_;
  std::unique_ptr<GuestProcess> first_;
  u64 lowest_ = 0;
  bool cpuid_faults_ = false;
  pid_t tracer_ = 0;
};

}  // namespace ringshift
