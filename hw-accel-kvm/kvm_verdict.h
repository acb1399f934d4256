// KvmVerdict: what kind of KVM this host has: none, forbidden, software, nested or hardware.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hw-accel-kvm/kvm_probe.h"

namespace ringshift {

enum class KvmKind {
  absent,     // no /dev/kvm
  forbidden,  // no permission
  unfit,      // something else stands in the way
  software,   // KVM's API over something that isn't VT-x or AMD-V
  nested,     // VT-x or AMD-V that another hypervisor gives
  hardware,
};
const char* name_of(KvmKind kind);

// What the verdict rests on, apart from the probe.
struct KvmEvidence {
  std::vector<std::string> modules;  // of /sys/module, those that begin with kvm
  bool hypervisor = false;           // CPUID.1:ECX[31]: this host is a guest
  std::string hypervisor_name;       // CPUID.40000000h
  bool vmx = false, svm = false;

  // modules_folder: another one only in tests.
  static KvmEvidence of_this_host(const char* modules_folder = "/sys/module");
  bool has_module(const char* name) const;
};

struct KvmVerdict {
  KvmKind kind;
  std::string why;  // a sentence for the user
  KvmEvidence evidence;
  std::optional<KvmProbe> probe;  // if KVM could be opened

  // -engine kvm runs operating systems here, and on a CPU.
  bool usable() const;
};

KvmVerdict judge(const KvmEvidence& evidence, const Result<KvmProbe>& probe, int open_error);
KvmVerdict judge_this_host();

}  // namespace ringshift
