import io

import av
import numpy as np
import pytest
import soundfile
import torch

from polymodal.data.modalities import Audio
from polymodal.data.modalities.audio import mel_bank, read_sound, resample, spectra
from polymodal.errors import CellError, NothingThere


def tone(hertz=440.0, seconds=0.5, rate=16000, level=0.5):
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def saved(samples, rate=16000, kind="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def through_ffmpeg(samples, rate, container, codec):
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", "mono")
        frame.rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            output.mux(packet)
    return file.getvalue()


def pitch(samples, rate):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * rate / len(samples)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "ULAW"),
     ("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None), ("AIFF", None)],
)  # fmt: skip
def test_formats(kind, subtype):
    samples, rate = read_sound(saved(tone(), kind=kind, subtype=subtype))
    assert abs(pitch(samples, rate) - 440) < 4
    assert abs(np.abs(samples[2000:6000]).max() - 0.5) < 0.05


@pytest.mark.parametrize(("container", "codec"), [("ipod", "aac"), ("mp4", "aac"), ("adts", "aac")])
def test_formats_that_ffmpeg_reads(container, codec):
    content = through_ffmpeg(tone(rate=44100), 44100, container, codec)
    samples, rate = read_sound(content)
    assert rate == 44100 and abs(pitch(samples, rate) - 440) < 4
    assert abs(len(samples) / rate - 0.5) < 0.06


def test_channels_are_averaged():
    stereo = np.stack([tone(), np.zeros(8000)], axis=1)
    samples, _ = read_sound(saved(stereo))
    assert np.allclose(samples, tone() / 2, atol=1e-3)
    assert np.allclose(read_sound((stereo.T, 16000))[0], tone() / 2, atol=1e-6)


@pytest.mark.parametrize(
    "array",
    [
        tone().astype(np.float32),
        tone(),
        np.round(tone() * 32768).astype(np.int16),
        np.round(tone() * 2**31).astype(np.int32),
    ],
)
def test_arrays_of_any_type(array):
    for cell in (array, (array, 16000), {"array": array, "sampling_rate": 16000}):
        samples, rate = read_sound(cell)
        assert rate == 16000 and np.allclose(samples, tone(), atol=1e-4)
    eight_bits = np.round(tone() * 128 + 128).astype(np.uint8)
    assert np.allclose(read_sound((eight_bits, 16000))[0], tone(), atol=0.01)


def test_every_rate_is_brought_to_one():
    audio = Audio(form="waveform")
    audio.fit([saved(tone(rate=44100), 44100)])
    assert audio.rate == 16000
    array = audio.decode(saved(tone(rate=44100), 44100))
    assert array.dtype == np.int16 and abs(len(array) - 8000) <= 2
    assert abs(pitch(array, 16000) - 440) < 4
    assert abs(pitch(resample(tone(), 16000, 8000), 8000) - 440) < 4


def test_log_mel_frames_show_the_pitch():
    audio = Audio(rate=16000, mels=64)
    audio.fit([saved(tone())])
    frames = audio.decode(saved(tone(1000.0)))
    assert frames.shape == (51, 64) and frames.dtype == np.float16
    centre = mel_bank(16000, 512, 64)[frames.mean(0).argmax()].argmax() * 16000 / 512
    assert abs(centre - 1000) < 80


def test_mel_bands_cover_all_frequencies_once():
    bank = mel_bank(16000, 512, 40)
    assert bank.shape == (40, 257) and bank.min() == 0
    assert (bank[:, 10:200].sum(0) > 0.5).all() and (bank[:, 10:200].sum(0) < 1.01).all()


def test_rate_and_length_are_learned():
    audio = Audio()
    audio.fit([saved(tone(rate=8000, seconds=s), 8000) for s in (0.4, 0.5)])
    assert audio.rate == 8000 and abs(audio.max_seconds - 0.75) < 0.01
    assert audio.max_length == 75


def test_a_long_recording_is_read_only_as_far_as_needed():
    audio = Audio(rate=8000, max_seconds=1.0)
    long = saved(tone(rate=8000, seconds=20), 8000)
    frames = audio.decode(long)
    assert audio.max_length < len(frames) < 4 * audio.max_length
    assert len(read_sound(long, seconds=1.5)[0]) == 12000
    m4a = through_ffmpeg(tone(rate=16000, seconds=5), 16000, "ipod", "aac")
    assert len(read_sound(m4a, seconds=1.0)[0]) == 16000


def test_a_sound_shorter_than_a_window():
    audio = Audio(rate=16000)
    assert audio.decode((np.ones(3, np.float32), 16000)).shape[1] == 64


def test_showing_names_the_duration():
    shown = Audio().show(saved(tone(seconds=0.5)))
    assert shown.kind == "audio" and shown.note == "0.5 s" and shown.content[8:12] == b"WAVE"


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/hostname\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        (b"no sound at all", "not a sound"),
        (saved(tone())[:30], "damaged sound"),
        (saved(np.zeros(0)), "empty sound"),
        (PLAYLIST, "not a sound"),
        (saved(np.full(900, np.nan), subtype="FLOAT"), "damaged sound"),
        ((tone(), 0), "damaged sound"),
        ((16000, tone()), "not a sound"),
        (np.zeros((2, 2, 2)), "not a sound"),
        ({"array": ["x"], "sampling_rate": 8000}, "not a sound"),
    ],
)
def test_broken_sounds(cell, kind):
    with pytest.raises(CellError) as error:
        read_sound(cell)
    assert error.value.kind == kind


@pytest.mark.parametrize("loudness", [None, 0.0, 0.3])
def test_the_sound_of_a_video(loudness):
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
        audio = None if loudness is None else container.add_stream("aac", rate=8000)
        for shade in range(5):
            picture = np.full((32, 32, 3), 40 * shade, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(video.encode())
        if audio is not None:
            wave = loudness * np.sin(np.arange(4096) / 5)[None].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.rate = 8000
            container.mux([*audio.encode(frame), *audio.encode()])
    if loudness:
        samples, rate = read_sound(file.getvalue())
        assert rate == 8000 and np.abs(samples).max() > 0.2
    else:
        with pytest.raises(NothingThere, match="video without sound"):
            read_sound(file.getvalue())


def test_it_says_whether_it_varies_anything():
    assert not Audio().augments and Audio(augment="mask").augments
    assert not Audio(augment="mask", form="waveform").augments


@pytest.mark.parametrize("length", [512, 700, 4000])
def test_spectra_are_those_of_torch_stft(length: int) -> None:
    wave = np.random.default_rng(0).normal(size=length).astype(np.float32)
    wanted = torch.stft(
        torch.from_numpy(wave), 512, hop_length=160, win_length=400,
        window=torch.hann_window(400), return_complex=True,
    )  # fmt: skip
    found = spectra(wave, 512, window=400, hop=160)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.T, wanted.abs().square().numpy(), rtol=1e-3, atol=1e-3)
