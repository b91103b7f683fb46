"""What OpenTimelineIO loads as the media linker `retake_linker`. It runs such a file outside its package, so everything is in `linking`."""

from retake_otio.linking import link_media_reference

__all__ = ["link_media_reference"]
