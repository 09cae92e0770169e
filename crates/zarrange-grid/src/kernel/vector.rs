//! The instruction sets that copies are compiled for.
#![cfg_attr(
    target_arch = "x86_64",
    expect(clippy::inline_always, reason = "vector code is compiled for the instruction set of its caller")
)]

use super::plane::Plane;

/// Moves one plane.
pub(super) type Body = unsafe fn(&Plane, *const u8, *mut u8);

/// What this processor can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Whatever the compiler makes of plain code.
    Scalar,
    /// 16 bytes at once, in any order.
    #[cfg(target_arch = "x86_64")]
    Ssse3,
    /// 32 bytes at once.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Level {
    /// The best of this processor. Cheap: the standard library remembers the answer.
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                return Self::Avx2;
            }
            if is_x86_feature_detected!("ssse3") {
                return Self::Ssse3;
            }
        }
        Self::Scalar
    }

    /// Those that this processor has.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        match Self::best() {
            Self::Scalar => vec![Self::Scalar],
            #[cfg(target_arch = "x86_64")]
            Self::Ssse3 => vec![Self::Scalar, Self::Ssse3],
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => vec![Self::Scalar, Self::Ssse3, Self::Avx2],
        }
    }
}

/// Makes stores past the caches visible before anything that follows.
#[inline]
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: part of every x86-64.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Sixteen, ThirtyTwo, Vector, prefetch};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m256i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm_shuffle_epi8, _mm_storeu_si128,
        _mm_stream_si128, _mm_unpackhi_epi8, _mm_unpackhi_epi16, _mm_unpackhi_epi32, _mm_unpackhi_epi64,
        _mm_unpacklo_epi8, _mm_unpacklo_epi16, _mm_unpacklo_epi32, _mm_unpacklo_epi64,
        _mm256_broadcastsi128_si256, _mm256_castsi128_si256, _mm256_inserti128_si256, _mm256_shuffle_epi8,
        _mm256_storeu_si256, _mm256_stream_si256, _mm256_unpackhi_epi8, _mm256_unpackhi_epi16,
        _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi8, _mm256_unpacklo_epi16,
        _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
    };

    /// Lanes of 16 bytes, moved together.
    ///
    /// # Safety
    /// Of every function: the processor has the instruction set, pointers are valid for what is read or written.
    pub(in super::super) trait Vector: Copy {
        const LANES: usize;
        const BYTES: usize = 16 * Self::LANES;
        /// One lane from `src`, the next from `step` bytes further.
        unsafe fn load(src: *const u8, step: usize) -> Self;
        unsafe fn store(self, dst: *mut u8);
        /// Writes past the caches; `dst` is a multiple of [`Self::BYTES`].
        unsafe fn stream(self, dst: *mut u8);
        /// Elements of `N` bytes of both in turns, within each lane: of the lower halves, of the upper halves.
        unsafe fn interleave<const N: usize>(self, other: Self) -> (Self, Self);
        /// The bytes of each lane in the order that `mask` says.
        unsafe fn shuffle(self, mask: Self) -> Self;
        /// The mask that reverses each `unit` bytes; a power of two up to 16.
        unsafe fn reversal(unit: usize) -> Self;
    }

    /// SSSE3: one lane.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Sixteen(__m128i);

    impl Vector for Sixteen {
        const LANES: usize = 1;

        #[inline(always)]
        unsafe fn load(src: *const u8, _step: usize) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm_loadu_si128(src.cast()) })
        }

        #[inline(always)]
        unsafe fn store(self, dst: *mut u8) {
            // SAFETY: the caller's promise.
            unsafe { _mm_storeu_si128(dst.cast(), self.0) }
        }

        #[inline(always)]
        unsafe fn stream(self, dst: *mut u8) {
            // SAFETY: the caller's promise.
            unsafe { _mm_stream_si128(dst.cast(), self.0) }
        }

        #[inline(always)]
        unsafe fn interleave<const N: usize>(self, other: Self) -> (Self, Self) {
            let (a, b) = (self.0, other.0);
            // SAFETY: the caller's promise.
            unsafe {
                match N {
                    1 => (Self(_mm_unpacklo_epi8(a, b)), Self(_mm_unpackhi_epi8(a, b))),
                    2 => (Self(_mm_unpacklo_epi16(a, b)), Self(_mm_unpackhi_epi16(a, b))),
                    4 => (Self(_mm_unpacklo_epi32(a, b)), Self(_mm_unpackhi_epi32(a, b))),
                    _ => (Self(_mm_unpacklo_epi64(a, b)), Self(_mm_unpackhi_epi64(a, b))),
                }
            }
        }

        #[inline(always)]
        unsafe fn shuffle(self, mask: Self) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm_shuffle_epi8(self.0, mask.0) })
        }

        #[inline(always)]
        unsafe fn reversal(unit: usize) -> Self {
            let order: [u8; 16] = std::array::from_fn(|k| (k ^ (unit - 1)).to_le_bytes()[0]);
            // SAFETY: the array has 16 bytes.
            unsafe { Self::load(order.as_ptr(), 0) }
        }
    }

    /// AVX2: two lanes.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct ThirtyTwo(__m256i);

    impl Vector for ThirtyTwo {
        const LANES: usize = 2;

        #[inline(always)]
        unsafe fn load(src: *const u8, step: usize) -> Self {
            // SAFETY: the caller's promise.
            unsafe {
                let (low, high) = (_mm_loadu_si128(src.cast()), _mm_loadu_si128(src.add(step).cast()));
                Self(_mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high))
            }
        }

        #[inline(always)]
        unsafe fn store(self, dst: *mut u8) {
            // SAFETY: the caller's promise.
            unsafe { _mm256_storeu_si256(dst.cast(), self.0) }
        }

        #[inline(always)]
        unsafe fn stream(self, dst: *mut u8) {
            // SAFETY: the caller's promise.
            unsafe { _mm256_stream_si256(dst.cast(), self.0) }
        }

        #[inline(always)]
        unsafe fn interleave<const N: usize>(self, other: Self) -> (Self, Self) {
            let (a, b) = (self.0, other.0);
            // SAFETY: the caller's promise.
            unsafe {
                match N {
                    1 => (Self(_mm256_unpacklo_epi8(a, b)), Self(_mm256_unpackhi_epi8(a, b))),
                    2 => (Self(_mm256_unpacklo_epi16(a, b)), Self(_mm256_unpackhi_epi16(a, b))),
                    4 => (Self(_mm256_unpacklo_epi32(a, b)), Self(_mm256_unpackhi_epi32(a, b))),
                    _ => (Self(_mm256_unpacklo_epi64(a, b)), Self(_mm256_unpackhi_epi64(a, b))),
                }
            }
        }

        #[inline(always)]
        unsafe fn shuffle(self, mask: Self) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm256_shuffle_epi8(self.0, mask.0) })
        }

        #[inline(always)]
        unsafe fn reversal(unit: usize) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm256_broadcastsi128_si256(Sixteen::reversal(unit).0) })
        }
    }

    /// Asks for the line at `src`, which need not be valid.
    #[inline(always)]
    pub(in super::super) fn prefetch(src: *const u8) {
        // SAFETY: a prefetch reads nothing and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(src.cast()) }
    }
}
