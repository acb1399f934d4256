// EmissionReason: why the emitter put an instruction into a block: a closed list, with a sentence for each.
#pragma once

#include <string_view>

#include "base/types.h"

namespace ringshift::bt {

enum class EmissionReason : u8 {
  // --- the block's head
  landing,
  poll,
  padding,
  count_block,
  count_budget,
  profile,
  // --- the guest's own operation
  identity,
  short_incdec,
  moffs,
  lea,
  // --- flags
  save_flags,
  restore_flags,
  // --- memory
  window,
  window_absolute,
  offset,
  segment,
  lookup,
  ram,
  shared_lookup,
  shared_ram,
  high_byte,
  live_operand,
  bit_string,
  // --- the stack
  stack_store,
  stack_load,
  stack_pointer,
  return_address,
  push_selector,
  // --- strings
  string_index,
  rep_limit,
  rep_host,
  // --- EFLAGS and time
  interrupt_flag,
  compose_flags,
  take_flags,
  rare_flags,
  poll_again,
  read_tsc,
  control_register,
  // --- calls
  interpreter,
  light_helper,
  port,
  // --- ways out
  jump,
  call,
  taken,
  not_taken,
  side_exit,
  counter,
  loop_exit,
  next_block,
  target,
  target_limit,
  jump_table,
  // --- cold code, behind the block
  cold_lookup,
  cold_shared,
  cold_separate,
  cold_interpret,
  cold_poll,
  cold_budget,
  cold_side_exit,
  cold_loop_exit,
  cold_link,
  cold_jump_table,
};
inline constexpr unsigned kEmissionReasons = static_cast<unsigned>(EmissionReason::cold_jump_table) + 1;

// For columns: "save flags".
std::string_view name_of(EmissionReason reason);
// For people, with a full stop.
std::string_view sentence_of(EmissionReason reason);

// Whether it is what the guest's instruction itself does, in the guest's own terms.
constexpr bool is_identity(EmissionReason reason) { return reason == EmissionReason::identity; }

}  // namespace ringshift::bt
