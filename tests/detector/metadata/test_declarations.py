"""Statements of files about their origin, by where they are written."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import PIL.Image
import PIL.PngImagePlugin
import pytest
from made_thumbnails import with_thumbnail
from PIL import ExifTags

from detector.media.open import open_media
from detector.metadata.c2pa import Claim, IngredientRole
from detector.metadata.declarations import collect_declarations, source_type
from detector.metadata.embedded_text import LONGEST_TEXT, png_texts, xmp_texts
from detector.metadata.exhibit import collect_facts
from detector.schema.metadata import Credentials, Declaration, DeclarationKind, Meaning

GENERATED, PART = Meaning.GENERATED, Meaning.COMPOSITE_WITH_GENERATED
WEB_UI = (
    "a portrait, 35mm\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, "
    "Size: 512x512, Model: realistic, Version: v1.9.4"
)
WEB_UI_NAME = "Stable Diffusion web UI (AUTOMATIC1111), model realistic"
GRAPH = '{"3": {"inputs": {"seed": 5}, "class_type": "KSampler"}, "4": {"inputs": {"ckpt_name": "a.pt"}}}'
# As Video Helper Suite writes it into the comment of a video.
NESTED_GRAPH = json.dumps({"prompt": GRAPH, "workflow": {"nodes": [], "links": []}})
NOVEL = json.dumps({"prompt": "a portrait", "steps": 28, "scale": 5.0, "seed": 1, "sampler": "k_euler"})
TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
NONE = Credentials(checked=True)


def read_declarations(path: Path) -> tuple[Declaration, ...]:
    with open_media(path) as reader:
        list(reader.frames(8))
        facts = collect_facts(reader, path)
    return collect_declarations(facts.texts, facts.details.photo, NONE, ())


def read_statements(path: Path) -> list[tuple[DeclarationKind, Meaning, str | None]]:
    return [
        (declaration.kind, declaration.meaning, declaration.program)
        for declaration in read_declarations(path)
        if declaration.is_statement
    ]


@pytest.fixture
def portrait(astronaut: object) -> PIL.Image.Image:
    return PIL.Image.fromarray(astronaut).resize((256, 256))


def write_png(path: Path, picture: PIL.Image.Image, texts: dict[str, str], kind: str = "tEXt") -> Path:
    info = PIL.PngImagePlugin.PngInfo()
    for name, text in texts.items():
        if kind == "iTXt":
            info.add_itxt(name, text, zip=True)
        else:
            info.add_text(name, text, zip=kind == "zTXt")
    picture.save(path, pnginfo=info)
    return path


@pytest.mark.parametrize(
    ("texts", "meaning", "program"),
    [
        ({"parameters": WEB_UI}, GENERATED, WEB_UI_NAME),
        ({"parameters": f"{WEB_UI}, Mask blur: 4"}, PART, WEB_UI_NAME),
        ({"parameters": '{"sui_image_params": {"prompt": "a"}}'}, GENERATED, "SwarmUI"),
        ({"prompt": GRAPH, "workflow": '{"nodes": [], "links": []}'}, GENERATED, "ComfyUI, model a.pt"),
        ({"comment": NESTED_GRAPH}, GENERATED, "ComfyUI, model a.pt"),
        ({"workflow_of_a_node": '{"last_node_id": 9, "nodes": []' + " " * 70_000 + '"links": []}'}, GENERATED,
         "ComfyUI"),
        ({"invokeai_metadata": '{"generation_mode": "sdxl_inpaint"}'}, PART, "InvokeAI"),
        ({"sd-metadata": '{"app_id": "invoke-ai/InvokeAI"}'}, GENERATED, "InvokeAI"),
        ({"Dream": '"a portrait" -s 50 -S 1 -A k_lms'}, GENERATED, "InvokeAI"),
        ({"Description": "a woman --v 6 Job ID: 01234567-89ab-cdef-0123-456789abcdef"}, GENERATED,
         "Midjourney, by the form of its job number"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt"])
def test_generator_texts(
    tmp_path: Path,
    portrait: PIL.Image.Image,
    texts: dict[str, str],
    meaning: Meaning,
    program: str,
    kind: str,
) -> None:
    path = write_png(tmp_path / "a.png", portrait, texts, kind)
    assert (DeclarationKind.GENERATION_PARAMETERS, meaning, program) in read_statements(path)
    first = read_declarations(path)[0]
    assert first.source.startswith("PNG text, ") and first.is_of_generation
    assert first.short.startswith(meaning.replace("_", " ") + ": ")


def test_novelai(tmp_path: Path, portrait: PIL.Image.Image) -> None:
    texts = {"Title": "NovelAI generated image", "Software": "NovelAI", "Description": "a", "Comment": NOVEL}
    assert read_statements(write_png(tmp_path / "a.png", portrait, texts)) == [
        (DeclarationKind.GENERATION_PARAMETERS, GENERATED, "NovelAI"),
        (DeclarationKind.SOFTWARE, GENERATED, "NovelAI"),
    ]


@pytest.mark.parametrize("ending", ["jpg", "webp", "png"])
def test_parameters_in_exif(tmp_path: Path, portrait: PIL.Image.Image, ending: str) -> None:
    for order in ("utf-16-be", "utf-16-le"):
        exif = PIL.Image.Exif()
        exif[ExifTags.Base.Artist] = "nobody"
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + WEB_UI.encode(order)
        path = tmp_path / f"{order}.{ending}"
        portrait.save(path, exif=exif)
        first = read_declarations(path)[0]
        assert (first.source, first.meaning) == ("EXIF, UserComment", GENERATED)
        assert first.says.startswith("a portrait, 35mm\\nNegative prompt")


@pytest.mark.parametrize(
    ("written", "kind", "meaning", "program"),
    [
        ('<rdf:Description Iptc4xmpExt:DigitalSourceType="{0}trainedAlgorithmicMedia"/>',
         DeclarationKind.DIGITAL_SOURCE_TYPE, GENERATED, None),
        ("<x:digitalsourcetype>{0}compositeSynthetic</x:digitalsourcetype>",
         DeclarationKind.DIGITAL_SOURCE_TYPE, PART, None),
        ('<a:DigitalSourceType rdf:resource="{0}compositeWithTrainedAlgorithmicMedia"/>',
         DeclarationKind.DIGITAL_SOURCE_TYPE, PART, None),
        ("<a:DigitalSourceType>\n<rdf:Bag>\n<rdf:li>digsrctype:digitalCapture</rdf:li></rdf:Bag></a:DigitalSourceType>",
         DeclarationKind.DIGITAL_SOURCE_TYPE, Meaning.CAPTURED, None),
        ("<xmp:CreatorTool>Adobe Photoshop 26.1</xmp:CreatorTool>", DeclarationKind.SOFTWARE,
         Meaning.EDITED, "Photoshop"),
        ("<x:D xmp:CreatorTool='Adobe Firefly 3'/>", DeclarationKind.SOFTWARE, GENERATED, "Firefly"),
        ("<a:AISystemUsed>Imager 2</a:AISystemUsed>", DeclarationKind.AI_LABEL, GENERATED, "Imager 2"),
        ("<photoshop:Credit>Edited with Google AI</photoshop:Credit>", DeclarationKind.AI_LABEL, PART,
         "Google AI"),
        ("<T:AIGC>{{&quot;Label&quot;:&quot;1&quot;,&quot;ContentProducer&quot;:&quot;x&quot;}}</T:AIGC>",
         DeclarationKind.AI_LABEL, GENERATED, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_xmp(
    tmp_path: Path,
    portrait: PIL.Image.Image,
    written: str,
    kind: DeclarationKind,
    meaning: Meaning,
    program: str | None,
    ending: str,
) -> None:
    packet, path = f"<x:xmpmeta>{written.format(TYPES)}</x:xmpmeta>", tmp_path / f"a.{ending}"
    if ending == "png":
        write_png(path, portrait, {"XML:com.adobe.xmp": packet}, "iTXt")
    else:
        portrait.save(path, xmp=packet.encode())
    assert read_statements(path) == [(kind, meaning, program)]


def test_every_source_type_is_known_by_code_and_address() -> None:
    assert source_type(f"{TYPES.replace('http:', 'https:')}algorithmicMedia/")[:2] == (
        "algorithmicMedia",
        GENERATED,
    )
    assert source_type("TrainedAlgorithmicMedia")[1] is GENERATED
    assert source_type("somethingNew")[1] is Meaning.UNKNOWN


def test_other_parameters_are_ignored(tmp_path: Path, portrait: PIL.Image.Image) -> None:
    texts = {"parameters": "exposure=1.2;tool=lightbox"}
    assert read_statements(write_png(tmp_path / "a.png", portrait, texts)) == []


def test_animations_have_declarations(tmp_path: Path, portrait: PIL.Image.Image) -> None:
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Make] = f"prompt:{GRAPH}"
    xmp = f'<rdf:Description Iptc4xmpExt:DigitalSourceType="{TYPES}trainedAlgorithmicMedia"/>'
    frames = [portrait, portrait.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)]
    animated = {"save_all": True, "append_images": frames[1:], "duration": 100}
    graph = (DeclarationKind.GENERATION_PARAMETERS, GENERATED, "ComfyUI, model a.pt")
    frames[0].save(tmp_path / "a.webp", exif=exif, xmp=xmp.encode(), **animated)
    assert set(read_statements(tmp_path / "a.webp")) == {
        (DeclarationKind.DIGITAL_SOURCE_TYPE, GENERATED, None),
        graph,
    }
    frames[0].save(tmp_path / "a.gif", comment=GRAPH.encode(), **animated)
    assert read_statements(tmp_path / "a.gif") == [graph]


@pytest.mark.parametrize("model", ["flux-dev", None])
def test_a_generator_in_the_place_of_a_camera(
    tmp_path: Path, portrait: PIL.Image.Image, model: str | None
) -> None:
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Software] = "Black Forest Labs", "AI generated;txt2img;flux"
    if model:
        exif[ExifTags.Base.Model] = model
    portrait.save(tmp_path / "a.jpg", exif=exif)
    assert read_statements(tmp_path / "a.jpg") == [
        (DeclarationKind.AI_LABEL, GENERATED, None),
        (DeclarationKind.SOFTWARE, GENERATED, "Black Forest Labs"),
    ]


def test_camera_named_like_a_generator_is_a_camera(tmp_path: Path, portrait: PIL.Image.Image) -> None:
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Maker", "Firefly 8"
    portrait.save(tmp_path / "a.jpg", exif=exif)
    assert read_statements(tmp_path / "a.jpg") == [
        (DeclarationKind.CAMERA, Meaning.CAPTURED, "Maker Firefly 8")
    ]


def test_a_camera_an_editor_and_nothing(tmp_path: Path, portrait: PIL.Image.Image) -> None:
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Maker", "Model 3"
    exif[ExifTags.Base.Software] = "GIMP 2.10"
    portrait.save(tmp_path / "a.jpg", exif=exif)
    assert read_statements(tmp_path / "a.jpg") == [
        (DeclarationKind.SOFTWARE, Meaning.EDITED, "GIMP"),
        (DeclarationKind.CAMERA, Meaning.CAPTURED, "Maker Model 3"),
    ]
    portrait.save(tmp_path / "stripped.png")
    assert read_declarations(tmp_path / "stripped.png") == ()


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"quality": 87}, "standard tables, quality 87"),
        ({"qtables": [[3 + i // 3 for i in range(64)]] * 2}, "its own tables; the nearest standard"),
    ],
)
def test_quantization_tables(tmp_path: Path, portrait: PIL.Image.Image, how: dict, says: str) -> None:
    portrait.save(tmp_path / "a.jpg", **how)
    (only,) = read_declarations(tmp_path / "a.jpg")
    assert only.says.startswith(says) and not only.is_statement and only.meaning is Meaning.UNKNOWN


def test_thumbnails(tmp_path: Path, portrait: PIL.Image.Image) -> None:
    """Of the same picture, of a crop of it, of one with another face, and of another one."""
    whole, path = portrait.resize((160, 160)), tmp_path / "a.jpg"

    def said(picture: PIL.Image.Image, thumb: PIL.Image.Image) -> list[str]:
        declarations = read_declarations(with_thumbnail(picture, thumb, path))
        return [
            declaration.says for declaration in declarations if declaration.kind is DeclarationKind.THUMBNAIL
        ]

    assert said(portrait, whole) == []
    assert said(PIL.Image.eval(portrait, lambda value: round(255 * (value / 255) ** 0.7)), whole) == []
    (cropped,) = said(portrait.crop((60, 10, 220, 170)), whole)
    assert "% of its area" in cropped
    changed = portrait.copy()
    changed.paste(portrait.crop((150, 20, 210, 90)).rotate(180), (85, 20))
    (part,) = said(changed, whole)
    assert "a part differs by" in part
    (other,) = said(portrait.rotate(180).transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT), whole)
    assert "correlation" in other


@pytest.mark.parametrize("signed", [True, False])
def test_content_credentials(signed: bool) -> None:
    claims = [
        Claim(IngredientRole.OWN, "c2pa.opened", None, None, "Adobe Photoshop 26"),
        Claim(IngredientRole.OWN, "c2pa.color_adjustments", None, None, "Adobe Photoshop 26"),
        Claim(IngredientRole.PARENT, "c2pa.created", "Firefly", f"{TYPES}trainedAlgorithmicMedia", None),
        Claim(IngredientRole.COMPONENT, "c2pa.created", "Imager", f"{TYPES}trainedAlgorithmicMedia", None),
    ]
    declarations = collect_declarations([], None, Credentials(checked=True, found=True, valid=signed), claims)
    assert [(declaration.meaning, declaration.program) for declaration in declarations] == [
        (GENERATED, "Firefly"),
        (PART, "Imager"),
        (Meaning.EDITED, "Adobe Photoshop 26"),
    ]
    assert ("does NOT hold" in declarations[0].means) is not signed


class TestHostile:
    def test_compression_bomb_is_bounded(self, tmp_path: Path, portrait: PIL.Image.Image) -> None:
        """20 MB of spaces in 20 kB: cut, and other texts are still read, those after the pixels too."""
        bomb = b"parameters\0\0" + zlib.compress(b"Steps: 1, Seed: 1" + b" " * 20_000_000, 9)
        path = write_png(tmp_path / "a.png", portrait, {})
        data = path.read_bytes()
        end = data.index(b"IEND") - 4
        path.write_bytes(
            data[:33]
            + make_chunk(b"zTXt", bomb)
            + data[33:end]
            + make_chunk(b"tEXt", b"Dream\0x -s 5")
            + data[end:]
        )
        with path.open("rb") as file:
            assert [len(text.value) <= LONGEST_TEXT for text in png_texts(file).texts] == [True, True]
        assert [declaration.program for declaration in read_declarations(path)][1:] == ["InvokeAI"]

    @pytest.mark.parametrize(
        "data",
        [
            b"zTXt" + b"a\0\0not compressed",
            b"iTXt" + b"a\0\1\0\0\0\xff\xff",
            b"tEXt" + b"without a zero",
            b"tEXt" + b"\0" * 9,
            b"iTXt" + b"a",
        ],
    )
    def test_damaged_chunks(self, data: bytes) -> None:
        file = b"\x89PNG\r\n\x1a\n" + make_chunk(data[:4], data[4:]) + b"\xff\xff\xff\xfftEXt"
        assert png_texts(io.BytesIO(file)).texts == ()

    def test_text_is_cut_and_escaped(self, tmp_path: Path, portrait: PIL.Image.Image) -> None:
        text = "\u202e<script>alert(1)</script>\x1b[31m, Steps: 1, Seed: 2" + "x" * 70_000
        path = write_png(
            tmp_path / "a.png", portrait, {f"parameters{n}": f"{text}{n}" for n in range(40)}, "iTXt"
        )
        declarations = read_declarations(path)
        assert 0 < len(declarations) <= 32
        for declaration in declarations:
            for value in (
                declaration.source,
                declaration.says,
                declaration.means,
                declaration.program or "",
                declaration.short,
            ):
                assert len(value) <= 300 and value.isprintable()

    def test_xmp_without_end_is_searched_quickly(self) -> None:
        assert xmp_texts(b"<a:Model " * 100_000) == []
        assert len(xmp_texts(b'a:Make="' * 100_000)) == 1


def make_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_source_type_comes_before_the_name_of_a_program(tmp_path: Path, portrait: PIL.Image.Image) -> None:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmp:CreatorTool="Adobe Firefly" '
        f'Iptc4xmpExt:DigitalSourceType="{TYPES}trainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta>'
    )
    portrait.save(tmp_path / "a.jpg", xmp=packet.encode())
    assert read_statements(tmp_path / "a.jpg") == [
        (DeclarationKind.DIGITAL_SOURCE_TYPE, GENERATED, None),
        (DeclarationKind.SOFTWARE, GENERATED, "Firefly"),
    ]
