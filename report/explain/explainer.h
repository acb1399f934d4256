// explain: from the record of a run to the Explanation of its hottest blocks.
#pragma once

#include <optional>

#include "machine/loaders/symbol_table.h"
#include "report/explain/explanation.h"
#include "translator/history/translation_recorder.h"

namespace ringshift {

// Which blocks are wanted.
struct BlockSelection {
  struct Range {
    u32 low;
    u64 high;  // exclusive
  };
  std::optional<Range> range;  // those that have code in it
  unsigned top = 10;           // so many, the hottest
};

// Fills all but guest, command, ended and selection.
Explanation explain(const bt::TranslationRecorder& record, const SymbolTable& symbols,
                    const BlockSelection& selection);

}  // namespace ringshift
