// FailingSites: instructions whose translation keeps failing, and what they become instead.
#pragma once

#include <unordered_map>
#include <utility>
#include <vector>

#include "base/types.h"

namespace ringshift::bt {

// How an instruction is to be translated.
enum class Remedy : u8 {
  none,
  lookups,      // not through a window
  interpreter,  // by a call of the interpreter, with what was decoded
};

enum class RemedyCause : u8 { window_failure, page_fault, exception, mmio };

// An instruction, by the physical address of its first byte, was given a remedy.
struct SiteChange {
  Gpa instruction;
  Remedy remedy;
  RemedyCause cause;
};

class FailingSites {
 public:
  // By the physical address of its first byte.
  Remedy remedy_of(Gpa instruction) const {
    const auto found = remedies_.find(instruction);
    return found == remedies_.end() ? Remedy::none : found->second;
  }

  // A window has no place for the page, or may not have it.
  void note_window_failure(Gpa instruction) {
    if (++counts(windows_, instruction).count >= kPatience)
      give({instruction, Remedy::lookups, RemedyCause::window_failure});
  }
  // The guest has no such page. A fault on ever new pages is its demand paging, and the site may be hot; on
  // the same page again and again it is the guest's way of being told of something.
  void note_page_fault(Gpa instruction, Gva page) {
    Count& count = counts(windows_, instruction);
    if (count.page != page) count = {0, page};
    if (++count.count >= kPatience) give({instruction, Remedy::lookups, RemedyCause::page_fault});
  }
  // The host's CPU has raised a divide error or a floating-point exception, which costs it microseconds.
  void note_exception(Gpa instruction) {
    if (++counts(others_, instruction).count >= kLongPatience)
      give({instruction, Remedy::interpreter, RemedyCause::exception});
  }
  // A lookup has met a device. An instruction that reaches RAM mostly would lose: it takes some more of
  // these.
  void note_mmio(Gpa instruction) {
    if (++counts(others_, instruction).count >= kLongPatience)
      give({instruction, Remedy::interpreter, RemedyCause::mmio});
  }

  // Those that were given a remedy since the last call: their blocks must go.
  std::vector<SiteChange> take_changed() { return std::exchange(changed_, {}); }
  bool changed() const { return !changed_.empty(); }

 private:
  static constexpr unsigned kPatience = 3, kLongPatience = 16;
  static constexpr std::size_t kMostKept = 1u << 14;  // those that need it come again
  struct Count {
    unsigned count = 0;
    Gva page = 0;
  };
  using Counts = std::unordered_map<Gpa, Count>;

  static Count& counts(Counts& map, Gpa instruction) {
    constexpr std::size_t kMostCounted = 1u << 16;
    if (map.size() > kMostCounted) map.clear();
    return map[instruction];
  }
  void give(const SiteChange& change) {
    windows_.erase(change.instruction);
    others_.erase(change.instruction);
    if (remedies_.size() >= kMostKept) remedies_.clear();
    remedies_[change.instruction] = change.remedy;
    changed_.push_back(change);
  }

  std::unordered_map<Gpa, Remedy> remedies_;
  Counts windows_, others_;
  std::vector<SiteChange> changed_;
};

}  // namespace ringshift::bt
