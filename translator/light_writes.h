// A light helper for stores to pages of code. What translator/light_transitions.h says of light helpers goes
// for it.
#pragma once

#include "translator/bt_context.h"

namespace ringshift::bt {

// A store's lookup has missed (RuntimeStubs::write). On a page of code, where no block depends on the bytes
// that it writes (CodeWrites), it may be done: its host address is BtContext::write_r9 plus gva, and what is
// returned stands behind the lookup. Else on to BtContext::to_access, with its registers.
const u8* light_write(BtContext* context, const u8* retry, u32 gva, u32 info);

}  // namespace ringshift::bt
