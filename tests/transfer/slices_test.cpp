#include "tests/support/transfer_slices.hpp"
#include "tests/transfer/emulated_devices.hpp"

namespace kvbm::test {

INSTANTIATE_TEST_SUITE_P(Emulated, TransferSlices, testing::ValuesIn(emulated_devices()), device_name);

}  // namespace kvbm::test
