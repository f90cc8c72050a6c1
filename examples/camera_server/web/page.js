// Shows what comes over one WebSocket: binary messages are frames, text is the table of viewers.

const SECOND = 1000; // milliseconds
const RETRY = SECOND;
// If more H.264 frames wait for the decoder, it is too slow, and starts anew at a keyframe.
const MOST_WAITING = 30;

const element = (id) => document.getElementById(id);
const canvas = element("picture");
const context = canvas.getContext("2d");

let socket = null;
let isConnected = false;
// Frames of this connection.
let received = 0;
// Once a second the server is told when a picture is drawn, from which it knows how old it is by then.
let isReportDue = true;
// Pictures in this second.
let count = 0;
let kind = "";
// The newest picture as it came, if it came as a file.
let file = null;

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/stream`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    isConnected = true;
    received = 0;
    h264.stop();
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") {
      showTable(JSON.parse(data));
    } else {
      received += 1;
      receive(new Uint8Array(data), received);
    }
  };
  socket.onclose = () => {
    isConnected = false;
    showState("No connection, trying again");
    setTimeout(connect, RETRY);
  };
}

function receive(bytes, number) {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    jpeg.receive(bytes, number);
  } else if (bytes.length > 0) {
    h264.receive(bytes, number);
  }
}

function report(number) {
  if (isReportDue && isConnected) {
    isReportDue = false;
    socket.send(number);
  }
}

// While a picture is decoded, or nobody looks, only the newest waits.
const jpeg = {
  newest: null,
  isBusy: false,

  receive(bytes, number) {
    this.newest = { bytes, number };
    if (!this.isBusy && !document.hidden) {
      this.showNewest();
    }
  },

  async showNewest() {
    this.isBusy = true;
    while (this.newest) {
      const { bytes, number } = this.newest;
      const newest = new Blob([bytes], { type: "image/jpeg" });
      this.newest = null;
      try {
        const picture = await createImageBitmap(newest);
        file = newest;
        draw(picture, picture.width, picture.height, "JPEG");
        report(number);
      } catch {
        showNotice("A picture can't be decoded");
      }
    }
    this.isBusy = false;
  },
};

// The sink begins with a keyframe, also after frames that were dropped, and each brings its parameters.
const h264 = {
  decoder: null,
  codec: null,

  receive(bytes, number) {
    if (!("VideoDecoder" in window)) {
      showNotice("Browsers show H.264 on localhost and over https only, if at all: try --codec jpeg");
      return;
    }
    const codec = codecOf(bytes);
    if (this.decoder?.decodeQueueSize > MOST_WAITING) {
      this.stop();
    }
    if (codec && (!this.decoder || codec !== this.codec)) {
      this.start(codec);
    }
    const type = codec ? "key" : "delta";
    this.decoder?.decode(new EncodedVideoChunk({ type, timestamp: number, data: bytes }));
  },

  start(codec) {
    this.stop();
    this.codec = codec;
    this.decoder = new VideoDecoder({
      output: (picture) => {
        file = null;
        const { timestamp } = picture;
        draw(picture, picture.displayWidth, picture.displayHeight, "H.264");
        report(timestamp);
      },
      error: ({ message }) => {
        showNotice(`A picture can't be decoded: ${message}`);
        this.decoder = null;
      },
    });
    this.decoder.configure({ codec, optimizeForLatency: true });
  },

  stop() {
    this.decoder?.close();
    this.decoder = null;
  },
};

// Of a keyframe: profile, constraints and level, from its sequence parameter set.
function codecOf(bytes) {
  for (let at = 0; at + 6 < bytes.length; at += 1) {
    const isStart = bytes[at] === 0 && bytes[at + 1] === 0 && bytes[at + 2] === 1;
    const unit = bytes[at + 3] & 0x1f;
    if (isStart && unit === 7) {
      const hex = (byte) => byte.toString(16).padStart(2, "0");
      return `avc1.${Array.from(bytes.subarray(at + 4, at + 7), hex).join("")}`;
    }
    // Behind the parameters is the picture, which is long.
    if (isStart && unit >= 1 && unit <= 5) {
      return null;
    }
  }
  return null;
}

function draw(picture, width, height, codec) {
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  context.drawImage(picture, 0, 0);
  picture.close();
  count += 1;
  kind = `${width}×${height} ${codec}`;
  element("snapshot").disabled = false;
  showNotice("");
}

function saveSnapshot() {
  if (file) {
    save(file);
  } else {
    canvas.toBlob(save, "image/jpeg", 0.95);
  }
}

function save(blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `snapshot-${new Date().toISOString().replaceAll(":", "-")}.jpg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60 * SECOND);
}

function showState(text) {
  element("state").textContent = text;
  element("state").classList.toggle("live", text === "Live");
}

function showNotice(text) {
  element("notice").textContent = text;
}

function showFigures() {
  if (isConnected) {
    showState(count > 0 || document.hidden ? "Live" : "Waiting for pictures");
  }
  element("figures").textContent = kind && `${kind}, ${count} pictures/s`;
  count = 0;
  isReportDue = true;
}

function showTable({ head, rows }) {
  element("count").textContent = rows.length;
  document.querySelector("thead").replaceChildren(row("th", head));
  document.querySelector("tbody").replaceChildren(...rows.map((cells) => row("td", cells)));
}

function row(kind, cells) {
  const row = document.createElement("tr");
  for (const text of cells) {
    const cell = document.createElement(kind);
    cell.textContent = text;
    row.append(cell);
  }
  return row;
}

element("snapshot").addEventListener("click", saveSnapshot);
setInterval(showFigures, SECOND);
connect();
