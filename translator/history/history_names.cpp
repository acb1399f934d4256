// What happens to blocks, in words.
#include "translator/history/history_listener.h"

namespace ringshift::bt {

std::string_view name_of(DropReason reason) {
  switch (reason) {
    case DropReason::code_written:
      return "its code was written to";
    case DropReason::retranslation:
      return "to be translated otherwise";
    case DropReason::roams:
      return "its page was met at a second address";
    case DropReason::cache_full:
      return "the cache is full, and it was the oldest";
    case DropReason::cache_cleared:
      break;
  }
  return "the cache was cleared";
}

std::string_view name_of(UnlinkReason reason) {
  return reason == UnlinkReason::block_dropped ? "a block of the two was dropped"
                                               : "mappings changed (INVLPG or a flush)";
}

std::string_view name_of(BlockFault fault) {
  switch (fault) {
    case BlockFault::window_filled:
      return "window fault, mapped";
    case BlockFault::window_failed:
      return "window fault that no mapping mends, interpreted";
    case BlockFault::window_page_fault:
      return "page fault found by the window";
    case BlockFault::host_exception:
      return "exception of the host's CPU, interpreted";
    case BlockFault::lookup_filled:
      return "lookup missed, filled";
    case BlockFault::lookup_interpreted:
      return "lookup missed, interpreted";
    case BlockFault::lookup_page_fault:
      return "page fault found by a lookup";
    case BlockFault::fault:
      break;
  }
  return "exception raised by the interpreter";
}

std::string_view name_of(Remedy remedy) {
  switch (remedy) {
    case Remedy::none:
      break;
    case Remedy::lookups:
      return "lookups instead of the window";
    case Remedy::interpreter:
      return "the interpreter instead of code in line";
  }
  return "none";
}

std::string_view name_of(RemedyCause cause) {
  switch (cause) {
    case RemedyCause::window_failure:
      return "the window failed it 3 times";
    case RemedyCause::page_fault:
      return "3 page faults in a row on one page";
    case RemedyCause::exception:
      return "16 exceptions of the host's CPU";
    case RemedyCause::mmio:
      break;
  }
  return "16 accesses of a device";
}

}  // namespace ringshift::bt
