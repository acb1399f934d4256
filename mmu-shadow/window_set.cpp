// Choice, keeping and eviction of windows.
#include "mmu-shadow/window_set.h"

#include <algorithm>
#include <cstdio>

namespace ringshift {

namespace {

u64 host_map_count() {
  u64 count = 65530;  // the kernel's default
  if (std::FILE* file = std::fopen("/proc/sys/vm/max_map_count", "r")) {
    unsigned long long value = 0;
    if (std::fscanf(file, "%llu", &value) == 1) count = value;
    std::fclose(file);
  }
  return count;
}

bool of_one_space(WindowKey key) {
  return key.role == WindowRole::supervisor || key.role == WindowRole::user;
}

}  // namespace

WindowSet::WindowSet(Cpu& cpu, WindowLimits limits) : cpu_(cpu), limits_(limits) {
  limits_.windows = std::max(limits_.windows, 1u);
  if (limits_.vmas == 0) limits_.vmas = host_map_count() / 4 * 3;
  cpu_.phys.add_listener(this, 0);
}

WindowSet::~WindowSet() { cpu_.phys.remove_listener(this); }

WindowKey WindowSet::key_now() const {
  if (!cpu_.paging()) return {WindowRole::physical, 0};
  const u32 cr3 = static_cast<u32>(cpu_.state.cr3) & ((cpu_.state.cr4 & kCr4Pae) != 0 ? ~0x1fu : ~0xfffu);
  if (cpu_.user()) return {WindowRole::user, cr3};
  if ((cpu_.state.cr4 & kCr4Pge) != 0 && !limits_.elsewhere) return {WindowRole::global, 0};
  return {WindowRole::supervisor, cr3};
}

ShadowWindow* WindowSet::enter() {
  const WindowKey key = key_now();
  if (current_ == nullptr || current_->window->key() != key) {
    ++counters_.switches;
    current_ = slot_for(key);
    if (current_ == nullptr) return nullptr;
    current_->used = ++uses_;
  }
  if (current_->epoch != epoch_for(key)) bring_up_to_date(*current_);
  return current_->window.get();
}

WindowSet::Slot* WindowSet::slot_for(WindowKey key) {
  for (const auto& slot : slots_)
    if (slot->window->key() == key) return slot.get();
  u32 count = 0;
  Slot* oldest = nullptr;
  for (const auto& slot : slots_) {
    if (!of_one_space(slot->window->key())) continue;
    ++count;
    if (oldest == nullptr || slot->used < oldest->used) oldest = slot.get();
  }
  if (!of_one_space(key) || count < limits_.windows) {
    if (Slot* const made = make_slot(key)) return made;
  }
  if (oldest == nullptr) return nullptr;
  ++counters_.recycled;
  oldest->window->assign(key);
  oldest->epoch = 0;
  return oldest;
}

WindowSet::Slot* WindowSet::make_slot(WindowKey key) {
  auto slot = std::make_unique<Slot>();
  if (limits_.elsewhere) {
    auto target = limits_.elsewhere();
    if (!target) return nullptr;
    slot->window = std::make_unique<ShadowWindow>(cpu_.phys, key, *std::move(target));
  } else {
    auto window = ShadowWindow::create(cpu_.phys, key);
    if (!window) return nullptr;
    slot->window = *std::move(window);
  }
  ++counters_.windows_made;
  slots_.push_back(std::move(slot));
  return slots_.back().get();
}

void WindowSet::bring_up_to_date(Slot& slot) {
  const u32 mode = paging_mode(cpu_);
  if (slot.mode != mode) {
    slot.window->drop_all();
    slot.mode = mode;
  } else {
    ++counters_.resyncs;
    slot.window->resync(cpu_);
  }
  slot.epoch = epoch_for(slot.window->key());
}

Outcome<FillResult> WindowSet::fill(Gva gva, AccessKind kind) {
  // Pages of one address space never come into another's window, whatever the caller forgot.
  if (current_ == nullptr || current_->window->key() != key_now()) return FillResult::slow;
  // Eviction ends after a few rounds: each empties something, and then the host itself is out of VMAs.
  constexpr unsigned kRounds = 3;
  for (unsigned round = 0; round < kRounds; ++round) {
    if (vmas() >= limits_.vmas) make_room();
    const FillResult result = RS_TRY(current_->window->fill(cpu_, gva, kind));
    if (result != FillResult::no_room) return result;
    make_room();
  }
  return FillResult::slow;
}

void WindowSet::prefill(Gva gva, AccessKind kind) {
  if (current_ == nullptr || current_->window->key() != key_now()) return;
  if (vmas() < limits_.vmas) current_->window->prefill(cpu_, gva, kind);
}

void WindowSet::make_room() {
  ++counters_.evictions;
  const u64 all = vmas();
  const u64 goal = std::min(all, limits_.vmas) / 8 * 7;
  std::vector<Slot*> by_age;
  for (const auto& slot : slots_)
    if (slot.get() != current_ && of_one_space(slot->window->key())) by_age.push_back(slot.get());
  std::sort(by_age.begin(), by_age.end(), [](const Slot* a, const Slot* b) { return a->used < b->used; });
  for (Slot* const slot : by_age) {
    if (vmas() <= goal) return;
    slot->window->drop_all();
  }
  // Of what is in use, regions of the largest window.
  const auto smaller = [](const auto& a, const auto& b) { return a->window->vmas() < b->window->vmas(); };
  const auto largest = std::max_element(slots_.begin(), slots_.end(), smaller);
  if (largest != slots_.end() && vmas() > goal) (*largest)->window->evict(vmas() - goal);
}

void WindowSet::drop_all() {
  for (const auto& slot : slots_) slot->window->drop_all();
}

void WindowSet::on_flush_all() {
  ++epoch_;
  ++global_epoch_;
}

void WindowSet::on_flush_address_space() { ++epoch_; }

void WindowSet::on_flush_page(Gva gva) {
  if (!cpu_.paging()) return;
  const u64 cr3 = cpu_.state.cr3;
  const u32 mode = paging_mode(cpu_);
  const u32 mask = (cpu_.state.cr4 & kCr4Pae) != 0 ? ~0x1fu : ~0xfffu;
  for (const auto& slot : slots_) {
    const WindowKey key = slot->window->key();
    if (of_one_space(key) ? key.cr3 != (cr3 & mask) : key.role != WindowRole::global) continue;
    // One that is behind anyway is compared as a whole when it is entered.
    if (slot->epoch == epoch_for(key) && slot->mode == mode) slot->window->resync_page(cpu_, gva);
  }
}

void WindowSet::on_page_changed(Gpa page) {
  for (const auto& slot : slots_) {
    // Once a system has turned paging on, it seldom goes back; to follow each page of its code would cost
    // more than to map RAM anew.
    if (slot->window->key().role == WindowRole::physical && slot.get() != current_)
      slot->window->drop_all();
    else
      slot->window->on_page_changed(page);
  }
}

u64 WindowSet::vmas() const {
  u64 sum = 0;
  for (const auto& slot : slots_) sum += slot->window->vmas();
  return sum;
}

u64 WindowSet::pages() const {
  u64 sum = 0;
  for (const auto& slot : slots_) sum += slot->window->pages();
  return sum;
}

ShadowWindow::Counters WindowSet::window_counters() const {
  ShadowWindow::Counters sum;
  for (const auto& slot : slots_) {
    const ShadowWindow::Counters& one = slot->window->counters();
    sum.fills += one.fills;
    sum.pages_mapped += one.pages_mapped;
    sum.slow += one.slow;
    sum.upgrades += one.upgrades;
    sum.resyncs += one.resyncs;
    sum.resynced_pages += one.resynced_pages;
    sum.unmap_calls += one.unmap_calls;
    sum.protect_calls += one.protect_calls;
    sum.full_drops += one.full_drops;
    sum.evicted_regions += one.evicted_regions;
  }
  return sum;
}

}  // namespace ringshift
