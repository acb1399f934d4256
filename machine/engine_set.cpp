// Making a set of engines, and handing over.
#include "machine/engine_set.h"

#include <fmt/format.h>

#include "base/host_clock.h"
#include "machine/engine_factory.h"

namespace ringshift {

Result<std::unique_ptr<EngineSet>> EngineSet::create(const MachineConfig& config, Cpu& cpu) {
  std::vector<std::unique_ptr<ExecutionEngine>> engines;
  for (const EngineKind kind : config.engines) {
    auto engine = RS_TRY(make_engine(kind, config, cpu));
    if (config.icount_shift && !engine->capabilities().virtual_time)
      return fail(ErrorKind::engine_unavailable, "-icount: engine {} cannot count instructions; leave it out",
                  engine->capabilities().name);
    engines.push_back(std::move(engine));
  }
  return std::make_unique<EngineSet>(cpu, std::move(engines));
}

EngineSet::EngineSet(Cpu& cpu, std::vector<std::unique_ptr<ExecutionEngine>> engines) : cpu_(cpu) {
  RS_CHECK(!engines.empty());
  for (auto& engine : engines) members_.push_back({std::move(engine)});
}

ExitReason EngineSet::run(CpuIo& io) {
  Member& member = members_[current_];
  const u64 before = cpu_.control.retired;
  ++member.entries;
  const ExitReason reason = member.engine->run(io);
  member.instructions += cpu_.control.retired - before;
  return reason;
}

void EngineSet::request_exit() {
  for (Member& member : members_) member.engine->request_exit();
}

Result<std::size_t> EngineSet::find(std::string_view name) const {
  std::string names;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::string_view known = members_[i].engine->capabilities().name;
    if (known == name) return i;
    names += fmt::format("{}{}", i == 0 ? "" : ",", known);
  }
  return fail(ErrorKind::usage, "there is no engine '{}' here: -engine {} made the set", name, names);
}

Result<void> EngineSet::switch_to(std::string_view name) {
  const std::size_t next = RS_TRY(find(name));
  if (next == current_) return {};
  const u64 begin = host_clock_ns();
  ExecutionEngine& from = current();
  VcpuState state;
  from.save(state);
  from.note_writes(cpu_.phys);
  current_ = next;
  current().restore(state);
  cost_.add(host_clock_ns() - begin);
  return {};
}

void EngineSet::report(StatsSink& sink) const {
  if (members_.size() > 1) {
    sink.count("engines", "switches", switches());
    for (const Member& member : members_) {
      const std::string name(member.engine->capabilities().name);
      sink.count("engines", name + ": instructions", member.instructions);
      sink.count("engines", name + ": entries", member.entries);
    }
    const auto microseconds = [&](std::string_view name, u64 ns) {
      sink.figure("engines", name, static_cast<double>(ns) * 1e-3, "us");
    };
    microseconds("hand-over p50", cost_.percentile(0.5));
    microseconds("hand-over p99", cost_.percentile(0.99));
    microseconds("hand-over max", cost_.max());
  }
  for (const Member& member : members_) member.engine->report(sink);
}

std::string EngineSet::describe() const {
  std::string text;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    text += fmt::format("{} {:<8} {} instructions, entered {} times\n", i == current_ ? '*' : ' ',
                        member.engine->capabilities().name, member.instructions, member.entries);
  }
  return text + fmt::format("{} switches\n", switches());
}

}  // namespace ringshift
