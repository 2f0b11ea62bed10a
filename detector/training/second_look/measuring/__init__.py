"""What given weights are worth: figures, of which some go onto the card. Nothing here fits or trains.

Before they ship, :mod:`.report` measures a checkpoint while training goes on, and :mod:`.adversarial`, which
``fit`` calls, attacked faces. :mod:`.left_out_generators` leaves generators out of what linear heads learn.

What ships is measured through the whole engine: :mod:`.verdicts` on the develop clips, :mod:`.composed` on
splices and clips of two people, :mod:`.codecs` in other codecs; :mod:`.program_figures` writes what the first
two found to the card. :mod:`.stability` changes clips a little, :mod:`.attacked_clips` against the scan.
:mod:`.heatmap_check` and :mod:`.composite_maps` ask whether heatmaps show what answers rest on.
"""
