"""Errors of uploads, files, takes and timelines for the catalogue: code, status, and a cause and remedy as the documentation shows them."""

from __future__ import annotations

RESOURCES: dict[str, tuple[int, str, str]] = {
    # files that callers name
    "outside_roots": (403, "'/etc/passwd' is in none of the folders that callers may use.", "Upload the file, or add its folder to server.roots."),
    "missing_file": (404, "'/media/talk.mp4' does not exist.", "Check the name and the folder."),
    "not_a_file": (400, "'/media' is not a file.", "Give a video, sound file, script or timeline."),
    "bad_output": (400, "An upload is not a place for results.", "Give a path inside one of the folders in server.roots."),
    "no_folder": (400, "The folder of '/media/out/a.mp4' does not exist.", "Create it or choose another folder."),
    # uploads
    "unknown_upload": (404, "There is no upload '4f2c'.", "It may have expired; upload the file again."),
    "upload_offset": (409, "The upload stands at byte 1048576, not at 0.", "Go on from the offset in the header Upload-Offset."),
    "upload_busy": (409, "Somebody is sending to this upload just now.", "Wait until that part is through, then ask for the offset."),
    "upload_finished": (409, "The upload is complete.", "Start another one for another file."),
    "upload_unfinished": (409, "The upload 'talk.mp4' is not complete (1048576 of 4194304 bytes).", "Send the rest first."),
    "upload_in_use": (409, "A job that waits or runs needs this upload.", "Cancel the job first."),
    "upload_too_large": (413, "The file is larger than 4 GB.", "Send a smaller one, or raise limits.upload_bytes in settings.json."),
    "upload_too_long": (400, "More was sent than the 4194304 bytes that were announced.", "Announce the size that the file has."),
    "one_shot_too_large": (413, "The file is larger than 64 MiB.", "Use a resumable upload: POST /v1/uploads, then PATCH."),
    "too_many_uploads": (429, "64 uploads are not complete.", "Finish or delete some first."),
    "upload_corrupt": (400, "What arrived is not what was announced (SHA-256).", "Upload the file again."),
    "bad_upload_offset": (400, "The header Upload-Offset is missing or no number.", "Send the number of bytes that have arrived so far."),
    "unwanted_file": (400, "The file is an archive.", "Upload a video or sound file, an .otio timeline, or a plain text."),
    "bad_text": (400, "The text is UTF-16.", "Save it as UTF-8."),
    "empty_file": (400, "The file is empty (zero bytes).", "Copy or export the file again."),
    "wrong_upload": (400, "The upload 'notes.txt' is not a video or sound file.", "Name another upload."),
    "disk_full": (507, "The disk has 12 MB left, 80 MB are needed.", "Free some space."),
    # speakers
    "consent_missing": (403, "A person is only enrolled with a statement of their consent.", "Give it in their words."),
    "bad_name": (400, "'Anna K' cannot be a speaker's name.", "Use lower-case letters, digits, '-' and '_', for example 'anna-k'."),
    "bad_speaker_record": (503, "The record of speaker 'anna' cannot be read.", "Enrol the speaker again, replacing it."),
    "speaker_is_link": (503, "The speaker's folder is a link.", "Remove the link by hand."),
    "no_poster": (404, "There is no picture of this speaker.", "See the report."),
    # takes
    "bad_range": (416, "The file has only 4194304 bytes.", "Ask for a range inside it."),
    "bad_take_record": (503, "The record of a take cannot be read.", "Delete its folder and render the line again."),
    # what several machines share
    "artefacts_unreachable": (503, "The place that the machines share cannot be reached.", "Check the network and the setting artefacts."),
    "artefacts_denied": (503, "The place that the machines share may not be read or written.", "Check its credentials."),
    "bad_artefact": (503, "A file in the shared place is damaged.", "Do again what made it."),
    # timelines
    "bad_timeline": (400, "The timeline cannot be read. It is not JSON.", "Export it as .otio (OpenTimelineIO JSON) again."),
    "timeline_too_large": (413, "The timeline has more than 32 MB.", "Give a smaller one."),
    "unknown_timeline": (404, "There is no timeline job '4f2c'.", "List the jobs of kind timeline to see which there are."),
    # webhooks
    "bad_webhook": (403, "The host 'example.org' may not be told about jobs.", "Add it to server.webhook_hosts in settings.json."),
}
