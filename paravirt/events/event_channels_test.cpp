// EventChannels: bindings, the bits in shared_info, and what a hostile guest tries with ports.
#include "paravirt/events/event_channels.h"

#include <random>

#include "paravirt/test_domain.h"

namespace ringshift::xen::test {
namespace {

TEST(EventChannels, BackEndAndGuestSignalEachOther) {
  EventRig rig;
  FakeListener listener;
  const u32 port = rig.alloc_unbound(0);
  const std::optional<u32> back = rig.channels.connect(port, listener);
  ASSERT_TRUE(back);
  EXPECT_EQ(rig.send(port), 0);
  EXPECT_EQ(listener.events, 1);
  EXPECT_FALSE(rig.pending(port)) << "an event goes to the other end";

  rig.channels.notify(*back);
  EXPECT_TRUE(rig.pending(port));
  EXPECT_EQ(rig.vcpu().evtchn_pending_sel, u32{1} << (port / 32));
  EXPECT_EQ(rig.vcpu().evtchn_upcall_pending, 1);
  EXPECT_EQ(rig.sink.upcalls, 1);
  rig.channels.notify(*back);
  EXPECT_EQ(rig.sink.upcalls, 1) << "it was pending already";
}

TEST(EventChannels, AMaskedEventStaysPendingUntilItIsUnmasked) {
  EventRig rig;
  xen32::evtchn_bind_virq bind{VIRQ_TIMER, 0, 0};
  ASSERT_EQ(rig.op(EVTCHNOP_bind_virq, bind), 0);
  rig.shared().evtchn_mask[bind.port / 32] = u32{1} << (bind.port % 32);
  rig.channels.raise_virq(VIRQ_TIMER);
  EXPECT_TRUE(rig.pending(bind.port));
  EXPECT_TRUE(rig.channels.is_pending(bind.port));
  EXPECT_EQ(rig.vcpu().evtchn_pending_sel, 0u);
  EXPECT_EQ(rig.sink.upcalls, 0);
  EXPECT_EQ(rig.sink.ports, std::vector<u32>{bind.port}) << "SCHEDOP_poll sees masked events";

  xen32::evtchn_unmask unmask{bind.port};
  EXPECT_EQ(rig.op(EVTCHNOP_unmask, unmask), 0);
  EXPECT_EQ(rig.shared().evtchn_mask[bind.port / 32], 0u);
  EXPECT_EQ(rig.sink.upcalls, 1);
  rig.take(bind.port);
  EXPECT_EQ(rig.op(EVTCHNOP_unmask, unmask), 0);
  EXPECT_EQ(rig.sink.upcalls, 1) << "nothing is pending now";
}

TEST(EventChannels, IpisAndVirqsAreBoundToTheOnlyVcpu) {
  EventRig rig;
  xen32::evtchn_bind_ipi ipi{0, 0};
  ASSERT_EQ(rig.op(EVTCHNOP_bind_ipi, ipi), 0);
  EXPECT_EQ(rig.send(ipi.port), 0);
  EXPECT_TRUE(rig.pending(ipi.port));

  xen32::evtchn_bind_virq virq{VIRQ_TIMER, 0, 0};
  ASSERT_EQ(rig.op(EVTCHNOP_bind_virq, virq), 0);
  EXPECT_EQ(rig.send(virq.port), -xen32::XEN_EINVAL) << "only Xen raises it";
  xen32::evtchn_bind_virq again{VIRQ_TIMER, 0, 0};
  EXPECT_EQ(rig.op(EVTCHNOP_bind_virq, again), -xen32::XEN_EEXIST);
  EXPECT_EQ(rig.close(virq.port), 0);
  EXPECT_EQ(rig.op(EVTCHNOP_bind_virq, again), 0);

  ipi.vcpu = 1;
  virq.vcpu = 0xffff'ffff;
  EXPECT_EQ(rig.op(EVTCHNOP_bind_ipi, ipi), -xen32::XEN_ENOENT);
  EXPECT_EQ(rig.op(EVTCHNOP_bind_virq, virq), -xen32::XEN_ENOENT);
  for (const u32 bad : {u32{NR_VIRQS}, u32{0xffff'ffff}}) {
    xen32::evtchn_bind_virq wrong{bad, 0, 0};
    EXPECT_EQ(rig.op(EVTCHNOP_bind_virq, wrong), -xen32::XEN_EINVAL);
    rig.channels.raise_virq(bad);
  }
}

TEST(EventChannels, LoopbackConnectsTwoPortsOfTheDomain) {
  EventRig rig;
  const u32 port = rig.alloc_unbound(DOMID_SELF);
  xen32::evtchn_bind_interdomain bind{DOMID_SELF, port, 0};
  ASSERT_EQ(rig.op(EVTCHNOP_bind_interdomain, bind), 0);
  EXPECT_TRUE(rig.pending(bind.local_port)) << "the other end may have sent before";
  EXPECT_EQ(rig.send(bind.local_port), 0);
  EXPECT_TRUE(rig.pending(port));
  EXPECT_EQ(rig.close(port), 0);
  EXPECT_FALSE(rig.pending(port));
  xen32::evtchn_status status{DOMID_SELF, bind.local_port, 0, 0, {}};
  EXPECT_EQ(rig.op(EVTCHNOP_status, status), 0);
  EXPECT_EQ(status.status, u32{EVTCHNSTAT_unbound});
  EXPECT_EQ(status.u.unbound.dom, FakeDomain::kDomain);
}

TEST(EventChannels, AClosedChannelOfABackEndCanBeBoundAnew) {
  EventRig rig;
  FakeListener listener;
  const u32 port = *rig.channels.offer();
  const u32 back = *rig.channels.connect(port, listener);
  EXPECT_EQ(rig.close(port), 0);
  rig.channels.notify(back);
  EXPECT_FALSE(rig.pending(port)) << "nobody is there";
  xen32::evtchn_bind_interdomain bind{0, back, 0};
  EXPECT_EQ(rig.op(EVTCHNOP_bind_interdomain, bind), 0);
  EXPECT_EQ(rig.send(bind.local_port), 0);
  EXPECT_EQ(listener.events, 1);
  xen32::evtchn_bind_interdomain second{0, back, 0};
  EXPECT_EQ(rig.op(EVTCHNOP_bind_interdomain, second), -xen32::XEN_EINVAL) << "it is taken";
  rig.channels.disconnect(back);
  EXPECT_EQ(rig.send(bind.local_port), 0);
  EXPECT_EQ(listener.events, 1);
}

TEST(EventChannels, OnlyAPortThatWaitsForDomain0CanBeConnected) {
  EventRig rig;
  FakeListener listener;
  EXPECT_FALSE(rig.channels.connect(0, listener));
  EXPECT_FALSE(rig.channels.connect(5, listener));
  EXPECT_FALSE(rig.channels.connect(EventChannels::kPorts, listener));
  EXPECT_FALSE(rig.channels.connect(0xffff'ffff, listener));
  EXPECT_FALSE(rig.channels.connect(rig.alloc_unbound(DOMID_SELF), listener));
  EXPECT_FALSE(rig.channels.connect(rig.alloc_unbound(7), listener));
  const u32 good = rig.alloc_unbound(0);
  EXPECT_TRUE(rig.channels.connect(good, listener));
  EXPECT_FALSE(rig.channels.connect(good, listener));
}

TEST(EventChannels, HostilePortsAndDomainsAreRefused) {
  EventRig rig;
  for (const u32 port : {u32{0}, u32{9}, EventChannels::kPorts, u32{0x8000'0001}, u32{0xffff'ffff}}) {
    EXPECT_EQ(rig.send(port), -xen32::XEN_EINVAL);
    EXPECT_EQ(rig.close(port), -xen32::XEN_EINVAL);
    for (const u16 remote : {u16{0}, u16{DOMID_SELF}}) {
      xen32::evtchn_bind_interdomain bind{remote, port, 0};
      EXPECT_EQ(rig.op(EVTCHNOP_bind_interdomain, bind), -xen32::XEN_EINVAL);
    }
    xen32::evtchn_bind_vcpu bind{port, 0};
    EXPECT_EQ(rig.op(EVTCHNOP_bind_vcpu, bind), -xen32::XEN_EINVAL);
  }
  xen32::evtchn_unmask unmask{EventChannels::kPorts};
  EXPECT_EQ(rig.op(EVTCHNOP_unmask, unmask), -xen32::XEN_EINVAL);
  xen32::evtchn_status status{DOMID_SELF, EventChannels::kPorts, 0, 0, {}};
  EXPECT_EQ(rig.op(EVTCHNOP_status, status), -xen32::XEN_EINVAL);

  xen32::evtchn_alloc_unbound alloc{0, 0, 0};
  EXPECT_EQ(rig.op(EVTCHNOP_alloc_unbound, alloc), -xen32::XEN_EPERM);
  alloc.dom = 3;
  EXPECT_EQ(rig.op(EVTCHNOP_alloc_unbound, alloc), -xen32::XEN_ESRCH);
  status = {0, 1, 0, 0, {}};
  EXPECT_EQ(rig.op(EVTCHNOP_status, status), -xen32::XEN_EPERM);
  xen32::evtchn_reset reset{0};
  EXPECT_EQ(rig.op(EVTCHNOP_reset, reset), -xen32::XEN_EPERM);
  xen32::evtchn_bind_interdomain bind{9, 1, 0};
  EXPECT_EQ(rig.op(EVTCHNOP_bind_interdomain, bind), -xen32::XEN_ESRCH);
  xen32::evtchn_bind_pirq pirq{0, 0, 0};
  EXPECT_EQ(rig.op(EVTCHNOP_bind_pirq, pirq), -xen32::XEN_EPERM);
  EXPECT_EQ(rig.channels.op(EVTCHNOP_init_control, FakeDomain::kArguments), -xen32::XEN_ENOSYS);
  EXPECT_EQ(rig.channels.op(0xffff'ffff, FakeDomain::kArguments), -xen32::XEN_ENOSYS);
}

TEST(EventChannels, ArgumentsBeyondMemoryAreFaults) {
  EventRig rig;
  for (u32 command = 0; command <= EVTCHNOP_reset; ++command) {
    if (command == EVTCHNOP_bind_pirq) continue;
    for (const Gva at : {u32{0}, FakeDomain::kArguments + kPageSize - 1, u32{0xffff'ffff}})
      EXPECT_EQ(rig.channels.op(command, at), -xen32::XEN_EFAULT) << command;
  }
  EXPECT_EQ(rig.channels.op_compat(0xffff'fffe), -xen32::XEN_EFAULT);
}

TEST(EventChannels, PortsRunOutAndComeBack) {
  EventRig rig;
  for (u32 i = 1; i < EventChannels::kPorts; ++i) rig.alloc_unbound(0);
  xen32::evtchn_alloc_unbound alloc{DOMID_SELF, 0, 0};
  EXPECT_EQ(rig.op(EVTCHNOP_alloc_unbound, alloc), -xen32::XEN_ENOSPC);
  xen32::evtchn_bind_ipi ipi{0, 0};
  EXPECT_EQ(rig.op(EVTCHNOP_bind_ipi, ipi), -xen32::XEN_ENOSPC);
  xen32::evtchn_bind_interdomain bind{DOMID_SELF, 1, 0};
  EXPECT_EQ(rig.op(EVTCHNOP_bind_interdomain, bind), -xen32::XEN_ENOSPC);
  EXPECT_FALSE(rig.channels.offer());
  xen32::evtchn_reset reset{DOMID_SELF};
  EXPECT_EQ(rig.op(EVTCHNOP_reset, reset), 0);
  EXPECT_EQ(rig.alloc_unbound(0), 1u);
}

TEST(EventChannels, CompatCallCarriesItsCommand) {
  EventRig rig;
  xen32::evtchn_op compat{};
  compat.cmd = EVTCHNOP_alloc_unbound;
  compat.u.alloc_unbound = {DOMID_SELF, 0, 0};
  std::memcpy(rig.domain.arguments.data(), &compat, sizeof compat);
  EXPECT_EQ(rig.channels.op_compat(FakeDomain::kArguments), 0);
  std::memcpy(&compat, rig.domain.arguments.data(), sizeof compat);
  EXPECT_EQ(compat.u.alloc_unbound.port, 1u);
}

// Whatever the guest does with ports and with the bits, back ends and memory stay whole.
TEST(EventChannels, RandomCalls) {
  EventRig rig;
  FakeListener listener;
  std::mt19937 random(4);
  std::vector<u32> connected;
  for (int i = 0; i < 200'000; ++i) {
    std::array<u32, 6> argument;
    for (u32& word : argument) word = random() % 4 == 0 ? random() : random() % 40;
    if (random() % 3 == 0) argument[0] = DOMID_SELF | (random() % 2 == 0 ? DOMID_SELF << 16 : 0);
    std::memcpy(rig.domain.arguments.data(), argument.data(), sizeof argument);
    rig.channels.op(random() % 16, FakeDomain::kArguments);
    if (random() % 8 == 0) rig.shared().evtchn_pending[random() % 32] = random();
    if (random() % 8 == 0) rig.shared().evtchn_mask[random() % 32] = random();
    if (random() % 16 == 0)
      if (const auto back = rig.channels.connect(random() % 50, listener)) connected.push_back(*back);
    if (!connected.empty() && random() % 16 == 0) {
      rig.channels.notify(connected.back());
      if (random() % 2 == 0) {
        rig.channels.disconnect(connected.back());
        connected.pop_back();
      }
    }
  }
  EXPECT_GT(listener.events, 0);
}

}  // namespace
}  // namespace ringshift::xen::test
