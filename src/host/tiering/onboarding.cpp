#include "kvbm/tiering/onboarding.hpp"

#include <utility>

#include "kvbm/base/assert.hpp"
#include "src/host/tiering/onboarding_plan.hpp"

namespace kvbm {

Onboarding::Onboarding(std::unique_ptr<Plan> plan) noexcept : plan_(std::move(plan)) {}
Onboarding::Onboarding(Onboarding&&) noexcept = default;
Onboarding& Onboarding::operator=(Onboarding&&) noexcept = default;
Onboarding::~Onboarding() = default;

std::uint32_t Onboarding::size() const noexcept {
  return plan_->head.size() + static_cast<std::uint32_t>(plan_->places.size());
}

std::uint32_t Onboarding::valid_now() const noexcept {
  std::uint32_t valid = plan_->head.size();
  for (const Plan::Place& place : plan_->places) {
    if (!place.here) break;
    ++valid;
  }
  return valid;
}

bool Onboarding::advance() {
  plan_->state->poll();
  return plan_->begin_rest(false) && plan_->arrived();
}

void Onboarding::cancel() { plan_->cancel(); }

TieringProgress Onboarding::progress() const { return plan_->progress(); }

void Onboarding::wait_on(StreamView stream) {
  static_cast<void>(plan_->begin_rest(true));
  const Load* before = nullptr;
  for (const Plan::Place& place : plan_->places) {
    const Load* load = place.load.get();
    if (load == nullptr || load == std::exchange(before, load)) continue;
    load->wait_until_begun();
    if (load->loaded()) load->loaded()->wait_on(stream);
  }
}

void Onboarding::wait_for_layer(std::uint32_t layer, StreamView stream) {
  KVBM_ASSERT(plan_->state->options().layer_events, "layers can be waited for only if the options say so");
  static_cast<void>(plan_->begin_rest(true));
  const Load* before = nullptr;
  for (const Plan::Place& place : plan_->places) {
    const Load* load = place.load.get();
    if (load == nullptr || load == std::exchange(before, load)) continue;
    load->wait_until_begun();
    if (load->loaded()) load->loaded()->wait_for_layer(layer, stream);
  }
}

Onboarded Onboarding::finish() && {
  plan_->settle();
  Onboarded onboarded = plan_->assemble();
  plan_->let_go();
  return onboarded;
}

}  // namespace kvbm
