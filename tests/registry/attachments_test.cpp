#include "kvbm/registry/attachments.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "tests/support/managers.hpp"

// Objects attached to a registered hash: logical.md 18.13, cases 155, 156, 163, 166 and 170, and when they die.

namespace kvbm {
namespace {

using Code = AttachmentError::Code;

struct Name {
  std::string text;
};

template <class Tier = G1>
BlockManager<Tier> manager_with(const BlockRegistry& registry, std::uint32_t blocks = 4,
                                bool reset_on_release = false) {
  return test::manager<Tier>(
      {.blocks = blocks, .tokens_per_block = 4, .registry = registry, .reset_on_release = reset_on_release});
}

/// Attaches something and says whether it is still alive.
class Witness {
 public:
  explicit Witness(const Registration& registration) {
    auto attached = std::make_shared<int>(0);
    attached_ = attached;
    EXPECT_TRUE(registration.attach(std::move(attached)));
  }
  [[nodiscard]] bool alive() const { return !attached_.expired(); }

 private:
  std::weak_ptr<int> attached_;
};

/// Something to attach that calls `last_words` when it dies.
std::shared_ptr<void> attachment_with(std::function<void()> last_words) {
  return {nullptr, [last_words = std::move(last_words)](std::nullptr_t) { last_words(); }};
}

std::vector<int> numbers(const Registration& registration) {
  return registration.with_multiple<int>(
      [](std::span<int> values) { return std::vector<int>(values.begin(), values.end()); });
}

// ---- one of a type, or many ----

TEST(Attachments, OfATypeThatIsUniqueRefuseToBecomeMany) {  // logical.md 18.13 case 155
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  ASSERT_TRUE(registration.attach_unique(1));

  const auto refused = registration.attach(2);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::TypeAlreadyRegisteredAsUnique);
  int unique = 0;
  EXPECT_TRUE(registration.with_unique<int>([&](int value) { unique = value; }));
  EXPECT_EQ(unique, 1);
  EXPECT_TRUE(numbers(registration).empty());
}

TEST(Attachments, OfATypeThatIsManyRefuseToBecomeUnique) {  // logical.md 18.13 case 155
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  ASSERT_TRUE(registration.attach(1));

  const auto refused = registration.attach_unique(2);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::TypeAlreadyRegisteredAsMultiple);
  EXPECT_FALSE(registration.with_unique<int>([](int) {}));
  EXPECT_EQ(numbers(registration), std::vector<int>{1});
}

TEST(Attachments, OfDifferentTypesChooseOnTheirOwn) {  // logical.md 18.13 case 156
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));

  ASSERT_TRUE(registration.attach_unique(Name{"a"}));
  ASSERT_TRUE(registration.attach(1));
  ASSERT_TRUE(registration.attach(2));

  std::string name;
  EXPECT_TRUE(registration.with_unique<Name>([&](const Name& value) { name = value.text; }));
  EXPECT_EQ(name, "a");
  EXPECT_EQ(numbers(registration), (std::vector<int>{1, 2}));
}

TEST(Attachments, ThatAreUniqueReplaceEachOther) {
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  ASSERT_TRUE(registration.attach_unique(1));

  ASSERT_TRUE(registration.attach_unique(2));

  EXPECT_TRUE(registration.with_unique<int>([](int value) { EXPECT_EQ(value, 2); }));
}

TEST(Attachments, ThatAreAbsentLeaveTheCallerWithNothing) {
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));

  EXPECT_FALSE(registration.with_unique<int>([](int) { ADD_FAILURE() << "there is no unique value"; }));
  EXPECT_TRUE(numbers(registration).empty());
}

TEST(Attachments, BelongToTheHashNotToTheHandle) {
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  const Registration same = registry.register_hash(test::hash(1));
  const Registration other = registry.register_hash(test::hash(2));

  ASSERT_TRUE(registration.attach(1));

  EXPECT_EQ(numbers(same), std::vector<int>{1});
  EXPECT_TRUE(numbers(other).empty());
}

TEST(Attachments, NeedNotBeCopied) {
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));

  ASSERT_TRUE(registration.attach_unique(std::make_unique<int>(7)));

  EXPECT_TRUE(registration.with_unique<std::unique_ptr<int>>([](const auto& value) { EXPECT_EQ(*value, 7); }));
}

TEST(Attachments, ThatAreUniqueCanBeChanged) {  // logical.md 18.13 case 163
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  ASSERT_TRUE(registration.attach_unique(1));

  EXPECT_TRUE(registration.with_unique<int>([](int& value) { value = 5; }));

  EXPECT_TRUE(registration.with_unique<int>([](int value) { EXPECT_EQ(value, 5); }));
}

TEST(Attachments, ThatAreManyCanBeChanged) {  // logical.md 18.13 case 163
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  ASSERT_TRUE(registration.attach(1));
  ASSERT_TRUE(registration.attach(2));

  registration.with_multiple<int>([](std::span<int> values) {
    for (int& value : values) value *= 10;
  });

  EXPECT_EQ(numbers(registration), (std::vector<int>{10, 20}));
}

TEST(Attachments, AllAreTheUniqueOne) {  // logical.md 18.13 case 163
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  ASSERT_TRUE(registration.attach_unique(1));

  registration.with_all<int>([](int* unique, std::span<int> values) {
    ASSERT_NE(unique, nullptr);
    EXPECT_TRUE(values.empty());
    *unique = 2;
  });

  EXPECT_TRUE(registration.with_unique<int>([](int value) { EXPECT_EQ(value, 2); }));
}

TEST(Attachments, AllAreTheManyInOrder) {  // logical.md 18.13 case 163
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(registration.attach(i));

  registration.with_all<int>([](int* unique, std::span<int> values) {
    EXPECT_EQ(unique, nullptr);
    EXPECT_EQ(std::vector<int>(values.begin(), values.end()), (std::vector<int>{0, 1, 2}));
    values[0] = 9;
  });

  EXPECT_EQ(numbers(registration), (std::vector<int>{9, 1, 2}));
}

TEST(Attachments, AllAreNoneWhereNothingIsAttached) {  // logical.md 18.13 case 163
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  bool called = false;

  registration.with_all<int>([&](int* unique, std::span<int> values) {
    called = true;
    EXPECT_EQ(unique, nullptr);
    EXPECT_TRUE(values.empty());
  });

  EXPECT_TRUE(called);
}

TEST(Attachments, SayHowATypeWasAttachedBefore) {  // logical.md 18.13 case 166
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  ASSERT_TRUE(registration.attach_unique(Name{"a"}));
  ASSERT_TRUE(registration.attach(1));

  const std::string unique = registration.attach(Name{"b"}).error().text();
  const std::string multiple = registration.attach_unique(2).error().text();

  EXPECT_NE(unique.find("already registered as unique"), std::string::npos) << unique;
  EXPECT_NE(multiple.find("already registered as multiple"), std::string::npos) << multiple;
}

// ---- what may be called from where ----

TEST(Attachments, MayBeSeenByACallerThatUsesTheManager) {
  const BlockRegistry registry;
  const auto manager = manager_with(registry);
  const auto block = test::registered(manager, test::hash(1));
  const Registration registration = block.registration();
  ASSERT_TRUE(registration.attach(1));

  registration.with_multiple<int>([&](std::span<int>) {
    EXPECT_TRUE(manager.match_block(test::hash(1)));
    EXPECT_TRUE(manager.allocate(2));
  });
}

TEST(Attachments, ThatAreReplacedDieWithNoLockHeld) {
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  bool died = false;
  ASSERT_TRUE(registration.attach_unique(
      attachment_with([&] { died = registration.with_unique<std::shared_ptr<void>>([](const auto&) {}); })));

  ASSERT_TRUE(registration.attach_unique(std::shared_ptr<void>()));

  EXPECT_TRUE(died);
}

TEST(Attachments, ThatAreRefusedDieWithNoLockHeld) {
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  int died = 0;
  const auto look = [&] { died += registration.with_unique<std::shared_ptr<void>>([](const auto&) {}) ? 1 : 0; };
  ASSERT_TRUE(registration.attach_unique(std::shared_ptr<void>()));

  EXPECT_FALSE(registration.attach(attachment_with(look)));

  EXPECT_EQ(died, 1);
}

// ---- how long they live ----

TEST(AttachmentLife, GoesOnOverEvictionWhileAHandleLives) {  // logical.md 18.13 case 170
  const BlockRegistry registry;
  const auto manager = manager_with(registry, 1);
  std::optional<Registration> handle(test::registered(manager, test::hash(1)).registration());
  const Witness witness(*handle);

  (void)manager.allocate_block();  // evicts
  EXPECT_TRUE(witness.alive());
  const auto again = test::registered(manager, test::hash(1));
  EXPECT_TRUE(again.registration().same_as(*handle));
  EXPECT_TRUE(witness.alive());
}

TEST(AttachmentLife, EndsWithTheRegistration) {  // logical.md 18.13 case 170
  const BlockRegistry registry;
  std::optional<Registration> handle(registry.register_hash(test::hash(1)));
  ASSERT_TRUE(handle->attach(1));
  const Witness witness(*handle);

  handle.reset();

  EXPECT_FALSE(witness.alive());
  EXPECT_TRUE(numbers(registry.register_hash(test::hash(1))).empty());
}

TEST(AttachmentLife, EndsWithTheEvictionByARun) {
  const BlockRegistry registry;
  const auto manager = manager_with(registry);
  const Witness witness(test::registered(manager, test::hash(1)).registration());
  EXPECT_TRUE(witness.alive());

  (void)manager.allocate(4);

  EXPECT_FALSE(witness.alive());
}

TEST(AttachmentLife, EndsWithTheEvictionForOneBlock) {
  const BlockRegistry registry;
  const auto manager = manager_with(registry, 1);
  const Witness witness(test::registered(manager, test::hash(1)).registration());

  (void)manager.allocate_block();

  EXPECT_FALSE(witness.alive());
}

TEST(AttachmentLife, EndsWithTheEvictionThatIsReported) {
  const BlockRegistry registry;
  const auto manager = manager_with(registry);
  const Witness witness(test::registered(manager, test::hash(1)).registration());

  const auto allocation = manager.allocate_with_evictions(4);

  ASSERT_TRUE(allocation);
  EXPECT_EQ(allocation->evicted, std::vector{test::hash(1)});
  EXPECT_FALSE(witness.alive());
}

TEST(AttachmentLife, EndsWithTheResetOfASingleGuard) {
  const BlockRegistry registry;
  const auto manager = manager_with(registry);
  std::optional<ImmutableBlock<G1>> block(test::registered(manager, test::hash(1)));
  const Witness witness(block->registration());
  block->set_evict_on_reset(true);
  EXPECT_TRUE(witness.alive());

  block.reset();

  EXPECT_FALSE(witness.alive());
}

TEST(AttachmentLife, EndsWithTheResetOfARunHoweverLong) {
  constexpr std::uint32_t kBlocks = 200;
  const BlockRegistry registry;
  const auto manager = manager_with(registry, kBlocks, true);
  std::vector<Witness> witnesses;
  {
    const auto run = test::registered(manager, test::chain(1, kBlocks));
    for (std::uint32_t i = 0; i < kBlocks; ++i) witnesses.emplace_back(run.block(i).registration());
  }

  for (const Witness& witness : witnesses) EXPECT_FALSE(witness.alive());
  EXPECT_EQ(registry.registered_count(), 0u);
}

TEST(AttachmentLife, GoesOnWhenADuplicateEnds) {
  const BlockRegistry registry;
  const auto manager = manager_with(registry);
  const auto primary = test::registered(manager, test::hash(1));
  const Witness witness(primary.registration());

  (void)test::registered(manager, test::hash(1));

  EXPECT_TRUE(witness.alive());
}

TEST(AttachmentLife, EndsWithADuplicateThatTakesItsPrimaryAlong) {
  const BlockRegistry registry;
  const auto manager = manager_with(registry);
  std::optional<ImmutableBlock<G1>> primary(test::registered(manager, test::hash(1)));
  std::optional<ImmutableBlock<G1>> duplicate(test::registered(manager, test::hash(1)));
  primary->set_evict_on_reset(true);
  const Witness witness(duplicate->registration());

  primary.reset();
  EXPECT_TRUE(witness.alive());
  duplicate.reset();

  EXPECT_FALSE(witness.alive());
}

TEST(AttachmentLife, EndsWithTheDrainingOfThePoolHoweverLarge) {
  constexpr std::uint32_t kBlocks = 200;
  const BlockRegistry registry;
  const auto manager = manager_with(registry, kBlocks);
  std::vector<Witness> witnesses;
  for (const SequenceHash& hash : test::chain(1, kBlocks)) {
    witnesses.emplace_back(test::registered(manager, hash).registration());
  }
  for (const Witness& witness : witnesses) ASSERT_TRUE(witness.alive());

  EXPECT_TRUE(manager.reset_inactive_pool().all_free());

  for (const Witness& witness : witnesses) EXPECT_FALSE(witness.alive());
}

TEST(AttachmentLife, EndsWithTheWeakBlockThatOutlivedTheBlock) {
  const BlockRegistry registry;
  const auto manager = manager_with(registry, 1);
  std::optional<ImmutableBlock<G1>> block(test::registered(manager, test::hash(1)));
  const Witness witness(block->registration());
  std::optional<WeakBlock<G1>> weak(block->downgrade());
  std::optional<WeakBlock<G1>> copy(*weak);
  block.reset();
  (void)manager.allocate_block();  // evicts

  EXPECT_TRUE(witness.alive());
  weak.reset();
  EXPECT_TRUE(witness.alive());
  copy.reset();

  EXPECT_FALSE(witness.alive());
}

TEST(AttachmentLife, GoesOnWithABlockThoughTheWeakBlockGoes) {
  const BlockRegistry registry;
  const auto manager = manager_with(registry);
  const auto block = test::registered(manager, test::hash(1));
  std::optional<WeakBlock<G1>> weak(block.downgrade());
  const Witness witness(block.registration());

  weak.reset();

  EXPECT_TRUE(witness.alive());
}

TEST(AttachmentLife, EndsWithTheLastBlockOfAnyTier) {
  const BlockRegistry registry;
  const auto upper = manager_with<G1>(registry);
  const auto lower = manager_with<G2>(registry);
  (void)test::registered(lower, test::hash(1));
  const Witness witness(test::registered(upper, test::hash(1)).registration());

  (void)upper.reset_inactive_pool();
  EXPECT_TRUE(witness.alive());
  (void)lower.allocate(4);  // evicts

  EXPECT_FALSE(witness.alive());
}

TEST(AttachmentLife, EndsWithABlockThatCameAfterTheRecord) {
  const BlockRegistry registry;
  const auto upper = manager_with<G1>(registry);
  const auto lower = manager_with<G2>(registry);
  const Witness witness(test::registered(upper, test::hash(1)).registration());
  (void)test::registered(lower, test::hash(1));  // knows nothing of the attachment

  (void)upper.reset_inactive_pool();
  EXPECT_TRUE(witness.alive());
  (void)lower.reset_inactive_pool();

  EXPECT_FALSE(witness.alive());
}

TEST(AttachmentLife, OfWhatTheHookAttachedEndsWithTheBlock) {
  std::vector<Witness> witnesses;
  const BlockRegistry registry({.tracker = {}, .on_registered = [&](const Registration& registration) {
                                  witnesses.emplace_back(registration);
                                }});
  const auto manager = manager_with(registry, 100);
  const auto hashes = test::chain(1, 100);

  (void)test::registered(manager, hashes);
  ASSERT_EQ(witnesses.size(), 100u);
  for (const Witness& witness : witnesses) ASSERT_TRUE(witness.alive());
  (void)manager.allocate(100);  // evicts

  for (const Witness& witness : witnesses) EXPECT_FALSE(witness.alive());
}

TEST(AttachmentLife, EndsWithTheManagerIfItHeldTheLastBlock) {
  const BlockRegistry registry;
  std::optional<BlockManager<G1>> manager(manager_with(registry));
  const Witness witness(test::registered(*manager, test::hash(1)).registration());

  manager.reset();

  EXPECT_FALSE(witness.alive());
}

TEST(AttachmentLife, GoesOnOverTheEndOfAManagerIfAnotherHasTheBlock) {
  const BlockRegistry registry;
  std::optional<BlockManager<G1>> upper(manager_with<G1>(registry));
  const auto lower = manager_with<G2>(registry);
  const Witness witness(test::registered(*upper, test::hash(1)).registration());
  (void)test::registered(lower, test::hash(1));

  upper.reset();

  EXPECT_TRUE(witness.alive());
}

/// Attachments that use the registry and the manager while they die, which hangs if a lock is held.
class AttachmentEnd : public testing::Test {
 protected:
  /// A block of hash 1 with such an attachment.
  [[nodiscard]] ImmutableBlock<G1> block_that_looks_around() {
    auto block = test::registered(manager_, test::hash(1));
    EXPECT_TRUE(block.registration().attach(attachment_with([this] {
      ++looked_;
      manager_.check_invariants();
      EXPECT_FALSE(registry_.is_registered(test::hash(1)));
      EXPECT_FALSE(manager_.match_block(test::hash(1)));
      EXPECT_FALSE(registry_.register_hash(test::hash(2)).has_block<G1>());
    })));
    return block;
  }

  BlockRegistry registry_;
  BlockManager<G1> manager_ = manager_with(registry_);
  int looked_ = 0;
};

TEST_F(AttachmentEnd, ByDrainingComesWithNoLockHeld) {
  (void)block_that_looks_around();

  (void)manager_.reset_inactive_pool();

  EXPECT_EQ(looked_, 1);
}

TEST_F(AttachmentEnd, ByEvictionComesWithNoLockHeld) {
  (void)block_that_looks_around();

  (void)manager_.allocate(4);

  EXPECT_EQ(looked_, 1);
}

TEST_F(AttachmentEnd, ByTheResetOfAGuardComesWithNoLockHeld) {
  block_that_looks_around().set_evict_on_reset(true);

  EXPECT_EQ(looked_, 1);
}

TEST_F(AttachmentEnd, ByTheResetOfARunComesWithNoLockHeld) {
  {
    std::vector<ImmutableBlock<G1>> blocks;
    blocks.push_back(block_that_looks_around());
    blocks[0].set_evict_on_reset(true);
    const auto run = BlockRun<ImmutableBlock<G1>>::of(std::move(blocks));
  }

  EXPECT_EQ(looked_, 1);
}

TEST_F(AttachmentEnd, ByTheLastHandleComesWithNoLockHeld) {
  std::optional<Registration> handle(block_that_looks_around().registration());
  (void)manager_.reset_inactive_pool();
  ASSERT_EQ(looked_, 0);

  handle.reset();

  EXPECT_EQ(looked_, 1);
}

TEST_F(AttachmentEnd, MayRegisterAndReleaseBlocks) {
  auto block = test::registered(manager_, test::hash(1));
  ASSERT_TRUE(block.registration().attach(attachment_with([this] {
    ++looked_;
    (void)test::registered(manager_, test::hash(1));
  })));
  block.set_evict_on_reset(true);

  block = test::registered(manager_, test::hash(2));

  EXPECT_EQ(looked_, 1);
  EXPECT_TRUE(manager_.match_block(test::hash(1)));
  manager_.check_invariants();
}

}  // namespace
}  // namespace kvbm
