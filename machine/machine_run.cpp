// The loop that runs a machine: engine, halts, timers, and the ways out.
#include <sys/prctl.h>

#include "base/host_clock.h"
#include "cpu-model/triple_fault.h"
#include "machine/machine.h"

namespace ringshift {

RunOutcome Machine::run() {
  // Without this the host may round a halted guest's wake-up by 50 us.
  ::prctl(PR_SET_TIMERSLACK, 1);
  counters_.started_ns = host_clock_ns();
  if (virtual_time_ == nullptr)
    if (auto started = alarm_.start(); !started)
      return RunOutcome{RunOutcome::Kind::failed, 0, {}, std::move(started).error()};
  clock_->follow();
  if (rotation_) rotation_->start();
  follow_deadline();
  std::optional<RunOutcome> outcome;
  CpuIo& io = recorder_ != nullptr ? static_cast<CpuIo&>(*recorder_) : this->io();
  while (!outcome) outcome = settle(engines_->run(io));
  alarm_.stop();
  if (outcome->kind != RunOutcome::Kind::reached && board_ != nullptr) board_->flush();
  return *std::move(outcome);
}

RunOutcome Machine::run_to(u64 retired) {
  RS_CHECK(virtual_time_ != nullptr);
  run_to_ = retired;
  RunOutcome outcome = run();
  run_to_.reset();
  return outcome;
}

std::optional<RunOutcome> Machine::settle(ExitReason reason) {
  // A halted CPU may have triple-faulted in the delivery of the interrupt that was to wake it.
  if (reason == ExitReason::shutdown || cpu_->state.shutdown != 0) {
    engines_->current().save(cpu_->state);
    std::string report = describe_triple_fault(*cpu_);
    if (tracer_.on(TracePoint::cpu_reset)) tracer_.write("cpu_reset: triple fault\n{}", report);
    return RunOutcome{RunOutcome::Kind::triple_fault, 0, std::move(report)};
  }
  if (reason == ExitReason::failed)
    return RunOutcome{
        RunOutcome::Kind::failed, 0, {}, Error{ErrorKind::internal, engines_->current().failure()}};
  ++(reason == ExitReason::halted ? counters_.halts : counters_.leaves);
  auto outcome = settle_requests();
  while (!outcome && paused_) {
    wait_while_paused();
    outcome = settle_requests();
  }
  if (!outcome && reason == ExitReason::halted && cpu_->state.halted != 0) wait_while_halted();
  return outcome;
}

std::optional<RunOutcome> Machine::settle_requests() {
  control_.clear_event(kEventExit);
  for (auto& work : std::exchange(between_runs_, {})) work();
  if (rotation_) rotation_->turn_if_due();
  if (asked_) {
    RunOutcome outcome = *std::exchange(asked_, std::nullopt);
    if (outcome.kind != RunOutcome::Kind::reset || config_.no_reboot) return outcome;
    if (auto booted = boot(); !booted)
      return RunOutcome{RunOutcome::Kind::failed, 0, {}, std::move(booted).error()};
    return std::nullopt;
  }
  if (stop_requested_) return RunOutcome{RunOutcome::Kind::stopped};
  if (std::exchange(reached_, false)) return RunOutcome{RunOutcome::Kind::reached};
  return std::nullopt;
}

void Machine::ask(RunOutcome outcome) {
  if (!asked_) asked_ = std::move(outcome);
  control_.raise_event(kEventExit);
}

void Machine::request_stop() {
  stop_requested_ = true;
  engines_->request_exit();
  queue_.wake();
}

void Machine::post_between_runs(std::function<void()> work) {
  queue_.post([this, work = std::move(work)]() mutable {
    between_runs_.push_back(std::move(work));
    control_.raise_event(kEventExit);
  });
}

void Machine::service() {
  ++counters_.services;
  queue_.run();
  wait_for_alarm();
  clock_->run_due();
  if (!run_to_ || control_.retired < *run_to_) return;
  reached_ = true;
  control_.raise_event(kEventExit);
}

// The alarm has rung ahead of its deadline: waits for the rest.
void Machine::wait_for_alarm() {
  if (alarm_due_ == Clock::kNever) return;
  const u64 now = clock_->now_ns();
  if (now + advance_.ns() < alarm_due_) return;  // something else woke us
  advance_.woken(static_cast<i64>(now) - static_cast<i64>(alarm_due_));
  while (clock_->now_ns() < alarm_due_) __builtin_ia32_pause();
  alarm_due_ = Clock::kNever;
}

// The earliest deadline changed: program what will remind us of it.
void Machine::follow_deadline() {
  const u64 next = clock_->next_deadline();
  if (virtual_time_ != nullptr) {
    const u64 due = next == Clock::kNever ? ~u64{0} : virtual_time_->retired_at(next);
    control_.deadline = std::min(due, run_to_.value_or(~u64{0}));
    return;
  }
  alarm_due_ = Clock::kNever;
  if (next == Clock::kNever) return alarm_.disarm();
  const u64 now = clock_->now_ns();
  if (next <= now) return alarm_.arm(0);
  alarm_.arm(advance_.wake_after(next - now));
  if (next - now >= 2 * advance_.ns()) alarm_due_ = next;
}

void Machine::pause_guest() {
  if (paused_) return;
  paused_ = true;
  clock_->pause();
  alarm_.disarm();
  alarm_due_ = Clock::kNever;
}

void Machine::continue_guest() {
  if (!paused_) return;
  paused_ = false;
  clock_->resume();
  follow_deadline();
}

// Timers don't run: their clock stands still.
void Machine::wait_while_paused() {
  const u64 since = host_clock_ns();
  for (queue_.run(); between_runs_.empty() && !stop_requested_; queue_.run()) queue_.wait(-1);
  counters_.paused_ns += host_clock_ns() - since;
}

bool Machine::may_wake(u32 events) const {
  if ((events & (kEventNmi | kEventExit)) != 0) return true;
  return (events & kEventInterrupt) != 0 && (cpu_->state.rflags & kFlagIf) != 0;
}

void Machine::wait_while_halted() {
  const u64 since = host_clock_ns();
  for (;;) {
    const u32 events = control_.events.load(std::memory_order_acquire);
    if (may_wake(events) || stop_requested_) break;
    if ((events & kEventService) != 0) {
      control_.clear_event(kEventService);
      service();
      continue;
    }
    const u64 next = clock_->next_deadline();
    if (next == Clock::kNever) {
      if (run_to_) return ask(RunOutcome{RunOutcome::Kind::stopped});
      queue_.wait(-1);
      continue;
    }
    if (virtual_time_ != nullptr) virtual_time_->skip_to(next);
    const u64 now = clock_->now_ns();
    if (next <= now) {
      clock_->run_due();
      follow_deadline();
    } else {
      queue_.wait(static_cast<i64>(next - now));
    }
  }
  counters_.halted_ns += host_clock_ns() - since;
}

}  // namespace ringshift
