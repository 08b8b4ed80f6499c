#pragma once

/// Everything, for users. Code inside kvbm includes what it needs.

#include "kvbm/base/xxh3.hpp"
#include "kvbm/blocks/block_run.hpp"
#include "kvbm/blocks/lifecycle_pin.hpp"
#include "kvbm/blocks/sparse_run.hpp"
#include "kvbm/blocks/weak_block.hpp"
#include "kvbm/cuda/device.hpp"
#include "kvbm/cuda/error.hpp"
#include "kvbm/cuda/stream.hpp"
#include "kvbm/manager/block_manager.hpp"
#include "kvbm/manager/metrics.hpp"
#include "kvbm/manager/stats_collector.hpp"
#include "kvbm/pools/eviction_backend.hpp"
#include "kvbm/registry/block_registry.hpp"
#include "kvbm/registry/frequency_sketch.hpp"
#include "kvbm/sequence/external_block_assignments.hpp"
#include "kvbm/sequence/sequence_in.hpp"
#include "kvbm/tokens/hash_codec.hpp"
#include "kvbm/tokens/positional_map.hpp"
#include "kvbm/tokens/to_tokens.hpp"
#include "kvbm/tokens/token_sequence.hpp"
