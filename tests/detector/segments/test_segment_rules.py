"""The rules that make segments of scores, each by examples: a change of one fails here first."""

from __future__ import annotations

import numpy as np

from detector.schema.analysis import Parameters
from detector.schema.scores import logit_of
from detector.segments.rules import (
    IndexRange,
    find_in_person,
    find_in_pieces,
    find_in_track,
    find_intervals,
    find_peaks,
    find_whole,
    hysteresis,
    merge_intervals,
    sliding_median,
)

DEFAULT = Parameters()
EIGHTHS = np.arange(200) / 8


def series(text: str) -> np.ndarray:
    """One digit a frame: tenths of a probability."""
    return np.array([int(c) / 10 for c in text.replace(" ", "")])


def spans(text: str, parameters: Parameters = DEFAULT) -> list[tuple[int, int]]:
    values = series(text)
    return [(i.first, i.last) for i in find_intervals(EIGHTHS[: len(values)], values, parameters)]


class TestSlidingMedian:
    def test_median_removes_spikes_and_keeps_steps(self) -> None:
        values = np.array([0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 5, 5, 5.0])
        smooth = sliding_median(EIGHTHS[: len(values)], values, 0.9)
        assert smooth.tolist() == [0.0] * 13 + [5.0] * 8

    def test_window_is_in_seconds(self) -> None:
        """0.9 s hold seven frames at eight a second and three at three: half of it on either side."""
        values = np.array([0, 0, 0, 0, 0, 7, 7, 7, 0, 0, 0, 0, 0.0])
        assert sliding_median(np.arange(13) / 8, values, 0.9).tolist() == [0.0] * 13
        assert sliding_median(np.arange(13) / 3, values, 0.9).tolist() == values.tolist()

    def test_neighbours_count_however_far(self) -> None:
        times = np.array([0, 10, 20, 30, 40.0])
        assert sliding_median(times, np.array([0, 0, 9, 0, 0.0]), 0.9)[2] == 0

    def test_median_of_no_frames_is_empty(self) -> None:
        assert len(sliding_median(np.empty(0), np.empty(0), 0.9)) == 0

    def test_single_frame_keeps_its_score(self) -> None:
        assert sliding_median(np.array([3.0]), np.array([0.4]), 0.9).tolist() == [0.4]

    def test_three_weights_of_a_third_count_as_one(self) -> None:
        """Three scores that weigh a third each are one; of two middles the lower is taken."""
        values = np.array([9, 9, 9, 1, 1.0])
        times = np.arange(5) / 100
        assert sliding_median(times, values, 1.0).tolist() == [9.0] * 5
        weights = np.array([1 / 3, 1 / 3, 1 / 3, 1, 1])
        assert sliding_median(times, values, 1.0, weights).tolist() == [1.0] * 5
        assert sliding_median(times[:4], values[:4], 1.0, weights[:4]).tolist() == [1.0] * 4


class TestFindIntervals:
    def test_frames_at_or_above_the_threshold_form_a_segment(self) -> None:
        assert spans("1111 8888 8888 1111") == [(4, 11)]

    def test_segment_extends_to_the_exit_threshold(self) -> None:
        """Opened at 0.7, it holds from the first frame at 0.5 or above to the last."""
        assert spans("1145 5688 8655 4111") == [(3, 11)]

    def test_run_below_the_enter_threshold_is_no_segment(self) -> None:
        assert spans("1166 6666 6666 6611") == []

    def test_equality_reaches_the_thresholds(self) -> None:
        assert spans("4555 5755 5554") == [(1, 10)]

    def test_minimum_duration_is_half_a_second(self) -> None:
        """The last sample lasts until the next: four of eight a second are half a second."""
        assert spans("1111 8888 1111 1111") == [(4, 7)]
        assert spans("1111 8881 1111 1111") == []

    def test_minimum_duration_at_irregular_frames(self) -> None:
        """Of 25 frames a second, those sampled from 0.52 s on are 0.36 s apart, first and last."""
        times = np.array([0.52, 0.64, 0.76, 0.88])
        assert find_intervals(times, np.full(4, 0.98), DEFAULT) == [IndexRange(0, 3)]

    def test_single_sample_is_no_segment(self) -> None:
        assert find_intervals(np.array([0.0]), np.array([0.98]), Parameters(sample_rate=1.0)) == []

    def test_close_segments_are_merged(self) -> None:
        """Three frames between are half a second from last to first: that is not near; two are."""
        assert spans("8888 8811 8888 8811") == [(0, 13)]
        assert spans("8888 8811 1888 8881") == [(0, 5), (9, 14)]

    def test_short_segments_may_merge_into_a_long_one(self) -> None:
        assert spans("1118 8811 8881 1111") == [(3, 10)]

    def test_segment_may_span_the_track(self) -> None:
        assert spans("8888 8888") == [(0, 7)]

    def test_long_gap_ends_a_run(self) -> None:
        times = np.r_[EIGHTHS[:8], EIGHTHS[:8] + 3]
        intervals = find_intervals(times, np.full(16, 0.9), DEFAULT)
        assert intervals == [IndexRange(0, 7), IndexRange(8, 15)]

    def test_bridged_gap_does_not_end_a_run(self) -> None:
        times = np.r_[EIGHTHS[:8], EIGHTHS[:8] + 7 / 8 + 0.75]
        assert find_intervals(times, np.full(16, 0.9), DEFAULT) == [IndexRange(0, 15)]

    def test_gap_is_measured_between_samples(self) -> None:
        """Many scores close together do not make a gap of seconds between the others."""
        times = np.concatenate([np.arange(0, 3, 0.04), np.arange(3.0, 20.0)])
        intervals = find_intervals(times, np.full(len(times), 0.9), Parameters(sample_rate=1.0))
        assert [(interval.first, interval.last) for interval in intervals] == [(0, len(times) - 1)]

    def test_no_segments_without_frames(self) -> None:
        assert find_intervals(np.empty(0), np.empty(0), DEFAULT) == []

    def test_run_enters_and_leaves_by_hysteresis(self) -> None:
        values = series("0587 5405 5055 7")
        assert hysteresis(EIGHTHS[:13], values, 0.7, 0.5, 0.75) == [IndexRange(1, 4), IndexRange(10, 12)]

    def test_intervals_exactly_the_merge_gap_apart_stay_separate(self) -> None:
        intervals = [IndexRange(0, 4), IndexRange(7, 9), IndexRange(13, 20)]
        assert merge_intervals(EIGHTHS, intervals, 0.5) == [IndexRange(0, 9), IndexRange(13, 20)]
        assert merge_intervals(EIGHTHS, intervals, 0.51) == [IndexRange(0, 20)]
        assert merge_intervals(EIGHTHS, [], 0.5) == []


class TestFindInPieces:
    """Cuts every 0.3 s leave tracks of two or three samples, none of which can hold a segment."""

    TRACKS = tuple(np.arange(6).reshape(2, 3))
    TIMES = np.array([0, 0.125, 0.25, 5, 5.125, 5.25])

    def test_short_tracks_are_long_enough_together(self) -> None:
        assert find_in_pieces(self.TIMES, np.full(6, 0.98), self.TRACKS, DEFAULT) == [
            IndexRange(0, 2),
            IndexRange(3, 5),
        ]

    def test_single_high_score_among_short_tracks_is_no_segment(self) -> None:
        values = np.array([0.98] * 3 + [0.1] * 3)
        assert find_in_pieces(self.TIMES, values, self.TRACKS, DEFAULT) == []
        assert find_in_pieces(self.TIMES[:3], values[:3], self.TRACKS[:1], DEFAULT) == []

    def test_long_tracks_are_excluded_from_joining(self) -> None:
        times = np.concatenate([EIGHTHS[:8], self.TIMES + 10])
        tracks = (np.arange(8), *(track + 8 for track in self.TRACKS))
        intervals = find_in_pieces(times, np.full(14, 0.98), tracks, DEFAULT)
        assert intervals == [IndexRange(8, 10), IndexRange(11, 13)]


class TestPeaks:
    def test_three_highest_peaks_in_order_of_time(self) -> None:
        values = series("7987 7777 8777 7797 7776 7777 8")
        whole = IndexRange(0, len(values) - 1)
        assert find_peaks(EIGHTHS[: len(values)], values, values, whole) == [1, 8, 14]

    def test_higher_of_two_close_peaks_wins(self) -> None:
        values = series("7879 7777")
        assert find_peaks(EIGHTHS[:8], values, values, IndexRange(0, 7)) == [3, 7]

    def test_strongest_frame_represents_a_plateau(self) -> None:
        smooth, raw = series("8888 8"), series("6697 8")
        assert find_peaks(EIGHTHS[:5], smooth, raw, IndexRange(0, 4))[0] == 2

    def test_peaks_lie_inside_the_interval(self) -> None:
        values = series("9977 8779 9")
        assert find_peaks(EIGHTHS[:9], values, values, IndexRange(2, 6)) == [4]

    def test_single_frame_of_a_still_is_its_peak(self) -> None:
        assert find_peaks(np.zeros(1), np.array([0.9]), np.array([0.9]), IndexRange(0, 0)) == [0]


class TestWholeTrack:
    """Three frames each, in turn: unmanipulated, manipulated."""

    TIMES = np.arange(42) / 8
    LOGITS = np.where(np.arange(42) // 3 % 2, 2.8, -1.0)
    OPENS = logit_of(DEFAULT.enter_threshold)

    def intervals(self, logits: np.ndarray, count: int = 42) -> list[IndexRange]:
        low = np.full(count, 0.4)  # the medians; nowhere at the threshold
        tracks = [np.arange(count)]
        return find_in_person(
            self.TIMES[:count], low, logits[:count], tracks, self.OPENS, DEFAULT, still=False
        )

    def test_one_that_reaches_the_threshold_on_average_is_an_interval(self) -> None:
        assert self.intervals(self.LOGITS) == [IndexRange(0, 41)]

    def test_one_below_it_is_none(self) -> None:
        assert self.intervals(self.LOGITS - 0.3) == []

    def test_one_that_was_judged_too_rarely_is_none(self) -> None:
        assert self.intervals(self.LOGITS[3:], DEFAULT.minimum_usable_frames - 1) == []

    def test_each_sampling_interval_counts_the_same(self) -> None:
        times = np.concatenate([np.linspace(0, 0.12, 40), self.TIMES[1:]])
        logits = np.concatenate([np.full(40, 2.8), np.full(41, 0.5)])
        whole = find_whole(times, logits, np.arange(81), self.OPENS, DEFAULT)
        assert whole == [] and logits.mean() > self.OPENS


class TestEnds:
    """Ends lie near the level of an interval, not where its surroundings fall below the lower threshold."""

    TIMES = np.arange(40) / 8
    RAISED = np.where((TIMES >= 2) & (TIMES < 4), 0.95, 0.55)

    def test_surroundings_just_above_the_lower_threshold_are_left_out(self) -> None:
        track = np.arange(40)
        (interval,) = find_in_track(self.TIMES, self.RAISED, track, DEFAULT)
        assert (self.TIMES[interval.first], self.TIMES[interval.last]) == (2.0, 3.875)
        before = DEFAULT.model_copy(update={"edge_level": 0.0})
        assert find_in_track(self.TIMES, self.RAISED, track, before) == [IndexRange(0, 39)]

    def test_an_interval_is_never_split(self) -> None:
        values = np.where((self.TIMES >= 2.5) & (self.TIMES < 3), 0.6, self.RAISED)
        (interval,) = find_in_track(self.TIMES, values, np.arange(40), DEFAULT)
        assert (self.TIMES[interval.first], self.TIMES[interval.last]) == (2.0, 3.875)

    def test_one_that_would_become_too_short_stays(self) -> None:
        values = np.where((self.TIMES > 1) & (self.TIMES < 3), 0.55, 0.2)
        values[16:19] = 0.95
        (interval,) = find_in_track(self.TIMES, values, np.arange(40), DEFAULT)
        assert (self.TIMES[interval.first], self.TIMES[interval.last]) == (1.125, 2.875)

    def test_certain_scores_have_a_level(self) -> None:
        values = np.where(self.RAISED > 0.9, 1.0, 0.0)
        (interval,) = find_in_track(self.TIMES, values, np.arange(40), DEFAULT)
        assert (self.TIMES[interval.first], self.TIMES[interval.last]) == (2.0, 3.875)
