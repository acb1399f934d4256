// Lines of JSON: what is written needs no escapes.
#include "report/explain/history_log.h"

#include <cerrno>
#include <cstring>

#include "report/explain/history_text.h"
#include "translator/listing.h"

namespace ringshift {

Result<std::unique_ptr<HistoryLog>> HistoryLog::create(const std::string& path, bt::HistoryListener* next) {
  std::FILE* const file = std::fopen(path.c_str(), "we");
  if (file == nullptr)
    return fail(ErrorKind::usage, "cannot write the history to {}: {}", path, std::strerror(errno));
  return std::unique_ptr<HistoryLog>(new HistoryLog(file, next));
}

void HistoryLog::put(const std::string& line) {
  // What can't be written is found by finish(): this runs under translated code, where nothing may be thrown.
  std::fwrite(line.data(), 1, line.size(), file_.get());
}

bool HistoryLog::finish() { return std::fflush(file_.get()) == 0 && std::ferror(file_.get()) == 0; }

void HistoryLog::on_stubs(const bt::RuntimeStubs& stubs) {
  if (next_ != nullptr) next_->on_stubs(stubs);
}

bt::BlockCounters* HistoryLog::counters_of_next() {
  return next_ != nullptr ? next_->counters_of_next() : nullptr;
}

void HistoryLog::on_translated(const bt::GuestBlock& guest, const bt::TranslationBlock& block,
                               const bt::EmissionNotes& notes) {
  write(R"({{"event":"translated","block":{},"eip":{},"physical":{},"mode":"{}","instructions":{},)"
        R"("guest bytes":{},"host bytes":{},"rounds":{},"relocatable":{}}})"
        "\n",
        block.number, block.eip, block.pages[0] + block.first_byte, bt::describe(block.mode),
        block.instructions, block.guest_bytes, block.host_bytes, notes.rounds, block.relocatable);
  if (next_ != nullptr) next_->on_translated(guest, block, notes);
}

void HistoryLog::on_linked(const bt::Link& link) {
  write(R"({{"event":"linked","block":{},"to":{},"eip":{},"polled":{}}})"
        "\n",
        link.source->number, link.target->number, link.target_eip, link.backward);
  if (next_ != nullptr) next_->on_linked(link);
}

void HistoryLog::on_not_linkable(const bt::Link& link, const bt::TranslationBlock& target) {
  write(R"({{"event":"not linkable","block":{},"to":{},"eip":{}}})"
        "\n",
        link.source->number, target.number, link.target_eip);
  if (next_ != nullptr) next_->on_not_linkable(link, target);
}

void HistoryLog::on_unlinked(const bt::Link& link, bt::UnlinkReason why) {
  write(R"({{"event":"unlinked","block":{},"from":{},"why":"{}"}})"
        "\n",
        link.source->number, link.target->number, name_of(why));
  if (next_ != nullptr) next_->on_unlinked(link, why);
}

void HistoryLog::on_dropped(const bt::TranslationBlock& block, bt::DropReason why) {
  write(R"({{"event":"dropped","block":{},"why":"{}"}})"
        "\n",
        block.number, name_of(why));
  if (next_ != nullptr) next_->on_dropped(block, why);
}

void HistoryLog::on_revived(const bt::TranslationBlock& block) {
  fmt::print(file_.get(),
             R"({{"event":"revived","block":{}}})"
             "\n",
             block.number);
  if (next_ != nullptr) next_->on_revived(block);
}

void HistoryLog::on_remedy(const bt::SiteChange& change) {
  write(R"({{"event":"remedy","physical":{},"remedy":"{}","why":"{}"}})"
        "\n",
        change.instruction, name_of(change.remedy), name_of(change.cause));
  if (next_ != nullptr) next_->on_remedy(change);
}

void HistoryLog::on_fault(const bt::TranslationBlock& block, u32 guest_offset, bt::BlockFault fault) {
  write(R"({{"event":"fault","block":{},"eip":{},"what":"{}"}})"
        "\n",
        block.number, block.eip + guest_offset, name_of(fault));
  if (next_ != nullptr) next_->on_fault(block, guest_offset, fault);
}

// Its block may have been dropped by the instruction, but nothing has been freed yet.
void HistoryLog::on_site_fault(const bt::InterpretSite* site) {
  write(R"({{"event":"fault","eip":{},"what":"{}"}})"
        "\n",
        site->eip, name_of(bt::BlockFault::fault));
  if (next_ != nullptr) next_->on_site_fault(site);
}

}  // namespace ringshift
