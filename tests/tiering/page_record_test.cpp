// physical.md 4.4: each page below G1 has an encoding and a number of stored bytes

#include "kvbm/tiering/page_record.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

constexpr std::uint64_t kPage = 256;
constexpr auto kOther = static_cast<PageEncoding>(7);

class PageRecordOf : public testing::Test {
 protected:
  /// Puts blocks into G2 with the record that each is to have.
  void put(std::span<const SequenceHash> hashes, const std::vector<PageRecord>& records) {
    auto blocks = world_.g2().allocate(static_cast<std::uint32_t>(hashes.size())).value().into_blocks();
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      world_.cache().describe_page(blocks[i], records[i]);
      auto staged = std::move(blocks[i]).stage(hashes[i], 4);
      static_cast<void>(world_.g2().register_block(std::move(staged).value()));
    }
  }
  [[nodiscard]] PageRecord record(const SequenceHash& hash) {
    return world_.cache().page_record(world_.g2().match_block(hash).value());
  }
  [[nodiscard]] Onboarding onboard(std::span<const SequenceHash> hashes) {
    return world_.cache().onboard(world_.cache().match(hashes));
  }

  static constexpr PageRecord kRaw{PageEncoding::Raw, kPage};
  TieredWorld world_{{.mode = TierMode::Inclusive}};
};

TEST_F(PageRecordOf, WhatHasArrivedInG2IsRawAndWhole) {
  const auto hashes = chain(1, 4);
  static_cast<void>(world_.compute(hashes));
  static_cast<void>(world_.compute(chain(2, 4)));
  world_.cache().settle();
  for (const SequenceHash& hash : hashes) EXPECT_EQ(record(hash), kRaw);
}

TEST_F(PageRecordOf, AnEncodedPageIsWhatItsFillerSaid) {
  const auto hashes = chain(1, 1);
  put(hashes, {{kOther, 100}});
  EXPECT_EQ(record(hashes[0]), (PageRecord{kOther, 100}));
}

TEST_F(PageRecordOf, APageThatTakesThePlaceOfAnEncodedOneIsRawAndWhole) {
  put(chain(9, 8), std::vector<PageRecord>(8, {kOther, 100}));  // all of G2
  const auto hashes = chain(1, 4);
  static_cast<void>(world_.compute(hashes));
  static_cast<void>(world_.compute(chain(2, 4)));
  world_.cache().settle();
  for (const SequenceHash& hash : hashes) EXPECT_EQ(record(hash), kRaw);
  EXPECT_EQ(world_.fetch(hashes).prefix.size(), 4u);
}

TEST_F(PageRecordOf, ALoadThatCannotDecodeAPageEndsBeforeIt) {
  const auto hashes = chain(1, 3);
  world_.put_in_g2(std::span(hashes).first(1));
  put(std::span(hashes).subspan(1), {{kOther, 100}, kRaw});

  Onboarding onboarding = onboard(hashes);
  EXPECT_EQ(onboarding.size(), 1u);
  const Onboarded onboarded = std::move(onboarding).finish();

  EXPECT_EQ(onboarded.prefix.size(), 1u);
  EXPECT_TRUE(world_.holds_g1(onboarded.prefix.id(0), hashes[0]));
  ASSERT_TRUE(onboarded.failure.has_value());
  EXPECT_EQ(onboarded.failure->operation, TieringFailure::Operation::Onboard);
  EXPECT_EQ(onboarded.failure->first_hash, hashes[1]);
  EXPECT_NE(onboarded.failure->text.find("its page is stored in encoding 7 (100 bytes), which nothing here decodes"),
            std::string::npos)
      << onboarded.failure->text;
  EXPECT_FALSE(world_.in_g1(hashes[1]));
  EXPECT_FALSE(world_.in_g1(hashes[2]));
  EXPECT_TRUE(world_.in_g2(hashes[1]));
  EXPECT_EQ(world_.cache().counts().failures, 1u);
}

TEST_F(PageRecordOf, ALoadOfAPageOfAnotherSizeIsRefused) {
  const auto hashes = chain(1, 1);
  for (const std::uint64_t bytes : {kPage - 1, kPage + 1, std::uint64_t{0}}) {
    put(hashes, {{PageEncoding::Raw, bytes}});
    const Onboarded onboarded = onboard(hashes).finish();
    EXPECT_EQ(onboarded.prefix.size(), 0u);
    ASSERT_TRUE(onboarded.failure.has_value());
    EXPECT_NE(onboarded.failure->text.find("in " + std::to_string(bytes) + " bytes of 256"), std::string::npos);
    static_cast<void>(world_.g2().reset_inactive_pool());
  }
}

TEST_F(PageRecordOf, ARefusedPageTakesNoRoomAndMovesNoByte) {
  const auto hashes = chain(1, 2);
  put(hashes, {{kOther, 100}, kRaw});
  const DeviceCallCounts before = world_.device()->call_counts();
  {
    const Onboarding onboarding = onboard(hashes);
    EXPECT_EQ(onboarding.progress(), TieringProgress{.failed = 1});
    EXPECT_EQ(world_.g1().available_blocks(), world_.g1().total_blocks());
    EXPECT_EQ(world_.g2().available_blocks(), world_.g2().total_blocks());
  }
  EXPECT_EQ(world_.device()->call_counts().copies, before.copies);
  EXPECT_EQ(world_.device()->call_counts().launches, before.launches);
  const auto failures = world_.cache().take_failures();  // nobody finished it
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].first_hash, hashes[0]);
}

TEST_F(PageRecordOf, OfAFailedLoadAndARefusedPageBothAreTold) {
  const auto hashes = chain(1, 2);
  world_.put_in_g2(std::span(hashes).first(1));
  put(std::span(hashes).last(1), {{kOther, 100}});
  world_.device()->add_fault({FaultKind::Copy, world_.device()->call_counts().copies + 1});
  world_.device()->add_fault({FaultKind::Launch, world_.device()->call_counts().launches + 1});

  const Onboarded onboarded = onboard(hashes).finish();

  EXPECT_EQ(onboarded.prefix.size(), 0u);
  ASSERT_TRUE(onboarded.failure.has_value());
  EXPECT_EQ(onboarded.failure->first_hash, hashes[0]);
  const auto others = world_.cache().take_failures();
  ASSERT_EQ(others.size(), 1u);
  EXPECT_EQ(others[0].first_hash, hashes[1]);
  EXPECT_EQ(world_.cache().counts().failures, 2u);
}

TEST_F(PageRecordOf, ABlockThatG1HasIsNotAskedHowItLiesInG2) {
  const auto hashes = chain(1, 2);
  const auto held = world_.compute(std::span(hashes).first(1));
  put(hashes, {{kOther, 100}, kRaw});
  const Onboarded onboarded = onboard(hashes).finish();
  EXPECT_EQ(onboarded.prefix.size(), 2u);
  EXPECT_FALSE(onboarded.failure.has_value());
}

}  // namespace
}  // namespace kvbm::test
