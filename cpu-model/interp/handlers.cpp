// The one handler table, put together from the families.
#include "cpu-model/interp/handlers.h"

namespace ringshift {

const HandlerTable& handler_table() {
  static const HandlerTable kTable = [] {
    HandlerTable table;
    register_integer(table);
    register_moves(table);
    register_exchanges(table);
    register_flags(table);
    register_shifts(table);
    register_multiply(table);
    register_stack(table);
    register_control_flow(table);
    register_strings(table);
    register_system(table);
    register_segments(table);
    register_port_io(table);
    register_x87(table);
    register_sse(table);
    return table;
  }();
  return kTable;
}

}  // namespace ringshift
