// The two 8259 interrupt controllers and counter 0 of the 8254, for guests that want interrupts.
#pragma once

#include "runtime/runtime.h"

constexpr u8 kPicVectors = 0x20;  // of IRQ 0; IRQ 8 has 28h

// Both controllers: edge-triggered, fully nested, all masked.
void start_pics();
void end_of_interrupt(unsigned irq);

// Counter 0: 1,193,182 Hz divided by count.
void program_timer(u8 mode, u16 count);
// Waits until counter 0, in mode 0, has reached its end.
void wait_for_timer();
// Waits, with interrupts off and IRQ 0 unmasked, until counter 0 has requested IRQ 0; false if it never does.
bool request_timer();
