"""Image files that say in their metadata that they were generated, from what, and for which set.

PNG has it as text, JPEG as EXIF; both have an XMP packet with the digital source type of the IPTC
(``trainedAlgorithmicMedia``), which viewers and archives read. Equal images give equal bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from harness.descriptors import Json

if TYPE_CHECKING:
    from PIL import Image

KEY = "harness"
"""Key of the text in a PNG: JSON with generator, hashes, spec, set and prompt."""
GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_DESCRIPTION = 0x010E  # of EXIF
_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="{kind}">'
    '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt>'
    "</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="r"?>'
)


def encoded(image: Image.Image, provenance: Mapping[str, Json], form: str, quality: int) -> bytes:
    """Return an image file with its provenance.

    Args:
        image: RGB.
        provenance: Where it comes from, as JSON.
        form: ``png`` or ``jpeg``.
        quality: Of a JPEG, 1 to 100.
    """
    from PIL import Image as Images
    from PIL.PngImagePlugin import PngInfo

    text = json.dumps(dict(provenance), sort_keys=True)
    xmp = _XMP.format(kind=GENERATED, text=escape(text))
    buffer = io.BytesIO()
    if form == "png":
        info = PngInfo()
        info.add_text(KEY, text)
        info.add_itxt("XML:com.adobe.xmp", xmp)
        image.save(buffer, "PNG", pnginfo=info)
    else:
        exif = Images.Exif()
        exif[_DESCRIPTION] = text
        image.save(buffer, "JPEG", quality=quality, subsampling=0, exif=exif, xmp=xmp.encode())
    return buffer.getvalue()


def provenance_of(image: Image.Image) -> dict[str, Json]:
    """Return where an opened image says that it comes from; empty where it says nothing."""
    text = image.info.get(KEY) or image.getexif().get(_DESCRIPTION)
    try:
        provenance = json.loads(str(text))
    except ValueError:
        return {}
    return provenance if isinstance(provenance, dict) else {}
