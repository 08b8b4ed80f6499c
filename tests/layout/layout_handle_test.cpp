#include "kvbm/layout/layout_handle.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <set>

namespace kvbm {
namespace {

constexpr LayoutHandle kLargest{0xFFFF'FFFF'FFFF'FFFFu, 0xFFFF};

TEST(LayoutHandle, ReadsBackWhatItWrites) {
  for (LayoutHandle handle :
       {LayoutHandle{}, LayoutHandle{1, 2}, LayoutHandle{0x0123'4567'89AB'CDEFu, 0x1234}, kLargest}) {
    EXPECT_EQ(parse_layout_handle(to_bytes(handle)), handle);
  }
}

TEST(LayoutHandle, HasWorkerThenLayoutThenZeros) {
  const auto bytes = to_bytes(kLargest);

  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(bytes[i], i < 10 ? std::byte{0xFF} : std::byte{0}) << i;
  EXPECT_EQ(to_bytes(LayoutHandle{1, 2})[0], std::byte{1});
  EXPECT_EQ(to_bytes(LayoutHandle{1, 2})[8], std::byte{2});
}

TEST(LayoutHandle, ReservedBitsAreZero) {
  for (std::size_t i = 10; i < 16; ++i) {
    auto bytes = to_bytes(LayoutHandle{1, 2});
    bytes[i] = std::byte{0x10};
    EXPECT_FALSE(parse_layout_handle(bytes)) << i;
  }
}

TEST(LayoutHandle, PrintsWorkerAndLayout) { EXPECT_EQ(to_text(kLargest), "18446744073709551615:65535"); }

TEST(LayoutHandles, The65536thIsRefusedAndStaysRefused) {
  LayoutHandles handles(7);
  std::set<LayoutHandle> given;
  for (int i = 0; i < 65'535; ++i) given.insert(handles.next().value());

  EXPECT_EQ(given.size(), 65'535u);
  EXPECT_EQ(given.begin()->worker, 7u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(handles.next().error().text, "layouts of a worker, at most: needed 65535, got 65536");
  }
}

}  // namespace
}  // namespace kvbm
