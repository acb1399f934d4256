// HistoryLog: what becomes of translated blocks, as it happens, a line of JSON an event, in a file.
#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/result.h"
#include "translator/history/history_listener.h"

namespace ringshift {

class HistoryLog final : public bt::HistoryListener {
 public:
  // "next": hears all of it too, and says where blocks count; null: nobody.
  static Result<std::unique_ptr<HistoryLog>> create(const std::string& path, bt::HistoryListener* next);
  // Writes out what is buffered; false if something of it is lost.
  bool finish();

  void on_stubs(const bt::RuntimeStubs& stubs) override;
  bt::BlockCounters* counters_of_next() override;
  void on_translated(const bt::GuestBlock& guest, const bt::TranslationBlock& block,
                     const bt::EmissionNotes& notes) override;
  void on_linked(const bt::Link& link) override;
  void on_not_linkable(const bt::Link& link, const bt::TranslationBlock& target) override;
  void on_unlinked(const bt::Link& link, bt::UnlinkReason why) override;
  void on_dropped(const bt::TranslationBlock& block, bt::DropReason why) override;
  void on_revived(const bt::TranslationBlock& block) override;
  void on_remedy(const bt::SiteChange& change) override;
  void on_fault(const bt::TranslationBlock& block, u32 guest_offset, bt::BlockFault fault) override;
  void on_site_fault(const bt::InterpretSite* site) override;

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  HistoryLog(std::FILE* file, bt::HistoryListener* next) : file_(file), next_(next) {}

  template <class... Args>
  void write(fmt::format_string<Args...> format, Args&&... args) {
    put(fmt::format(format, std::forward<Args>(args)...));
  }
  void put(const std::string& line);

  std::unique_ptr<std::FILE, Close> file_;
  bt::HistoryListener* next_;
};

}  // namespace ringshift
