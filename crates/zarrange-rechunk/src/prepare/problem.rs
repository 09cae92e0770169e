//! An array and what it shall become, as a problem for the planner.

use std::collections::VecDeque;
use std::sync::Arc;

use zarrange_array::ChunkView;
use zarrange_codec::{ArrayCodec, Rates, ShardIndex};
use zarrange_plan::{Costs, Format, PART_BYTES, Plan, PlanError, Problem, Purpose, plan};

/// Plans that were made last: the arrays of a group are mostly alike.
#[derive(Default)]
pub(crate) struct Plans {
    made: VecDeque<Arc<Plan>>,
    packed: VecDeque<Arc<[u8]>>,
}

impl Plans {
    const KEPT: usize = 32;

    pub(crate) fn of(&mut self, problem: &Problem) -> Result<Arc<Plan>, PlanError> {
        if let Some(known) = self.made.iter().find(|plan| plan.problem == *problem) {
            return Ok(known.clone());
        }
        let plan = Arc::new(plan(problem)?);
        self.made.truncate(Self::KEPT - 1);
        self.made.push_front(plan.clone());
        Ok(plan)
    }

    pub(crate) fn packed(&mut self, plan: &Plan) -> Arc<[u8]> {
        let packed = postcard::to_allocvec(plan)
            .unwrap_or_else(|error| unreachable!("a plan is numbers, names and lists of them: {error}"));
        if let Some(known) = self.packed.iter().find(|known| ***known == *packed) {
            return known.clone();
        }
        let packed: Arc<[u8]> = packed.into();
        self.packed.truncate(Self::KEPT - 1);
        self.packed.push_front(packed.clone());
        packed
    }
}

/// Moving the elements of one array to those of another as a problem for the planner.
pub(crate) fn problem(
    from: &ChunkView<'_>,
    to: &ChunkView<'_>,
    (memory_bytes_max, threads): (u64, u64),
    purpose: Purpose,
) -> Problem {
    let (source, target) = (from.metadata(), to.metadata());
    Problem {
        shape: source.shape().to_vec(),
        item_bytes: from.item_bytes() as u64,
        source: format(from),
        target: format(to),
        same_encoding: from.elements().layout.codecs == to.elements().layout.codecs
            && source.objects().edges() == target.objects().edges()
            && !from.elements().foreign_encoding
            && !to.elements().foreign_encoding,
        memory_bytes_max,
        threads,
        purpose,
        costs: Costs::default(),
        way: None,
        part_bytes: PART_BYTES,
    }
}

pub(crate) fn format(view: &ChunkView<'_>) -> Format {
    let (elements, chain) = (view.elements(), view.chain());
    let (shard, shard_index_bytes) = match &elements.codec {
        ArrayCodec::Chunks(_) => (None, 0),
        ArrayCodec::Shards(codec) => {
            (elements.layout.shard.clone(), ShardIndex::memory_bytes(codec.grid().count()))
        }
        // Slices lie in a chunk as inner chunks in a shard.
        ArrayCodec::Slices(_) => (Some(elements.layout.chunk.clone()), 0),
    };
    let Rates { decode_ns_per_byte, encode_ns_per_byte } = chain.rates();
    let edges = view.metadata().objects().edges();
    Format {
        chunk: view.grid().chunk_shape().to_vec(),
        shard,
        edges: edges.map(|edges| edges.iter().map(|edges| edges.runs().collect()).collect()),
        slices: matches!(elements.codec, ArrayCodec::Slices(_)),
        encoded_bytes_max: chain.encoded_bytes_max() as u64,
        scratch_bytes: chain.scratch_bytes() as u64,
        context_bytes: chain.context_bytes() as u64,
        shard_index_bytes,
        whole_shard_bytes: 0,
        decode_ns_per_byte,
        encode_ns_per_byte,
        stored_ratio: 1.0,
    }
}
