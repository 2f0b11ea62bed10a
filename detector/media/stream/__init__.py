"""A video's picture stream: its packets, what can be measured from them, and its frames in order.

:mod:`~detector.media.stream.decoder` chooses the stream and says what is known before a frame is
decoded; :mod:`~detector.media.stream.decoder` yields frames in order, each with its time, and counts in
:mod:`~detector.media.stream.packet_stats` what it met; at a damaged end it takes frames from
:mod:`~detector.media.stream.damage`. Beside it packets are measured
(:mod:`~detector.media.stream.packet_stats`), clocks that begin anew are carried on
(:mod:`~detector.media.stream.packets`), Matroska's packets from before time 0 counted back
(:mod:`~detector.media.stream.packets`), and headers read (:mod:`~detector.media.stream.nal_units`,
:mod:`~detector.media.stream.nal_units`): to tell which frames rest on damaged ones
(:mod:`~detector.media.stream.damage`) and which need not be decoded
(:mod:`~detector.media.stream.packets`).
"""
