/**
 * The client's side of TLS, deflate and snappy for `Connection`, with the least work: repeated bytes are compressed once, FINs
 * are sent in stored blocks, and only the daemon's bytes are decompressed.
 */
import crc32 from "@node-rs/crc32"
import type * as Net from "node:net"
import * as Tls from "node:tls"
import * as Zlib from "node:zlib"
import snappy from "snappy"

export type Upgrade = "tls" | "deflate" | "snappy"

/** The IDENTIFY fields of the upgrade. */
export const features = { tls: { tls_v1: true }, deflate: { deflate: true }, snappy: { snappy: true } }

export interface Channel {
  /** Sends bytes that were not prepared. */
  readonly write: (bytes: Uint8Array, done?: () => void) => void
  /** Converts bytes to the form that `writePrepared` sends, any number of times. */
  readonly prepare: (bytes: Buffer) => Buffer
  readonly writePrepared: (bytes: Uint8Array) => void
}

/** A stored block and a chunk have less than 64 KiB. */
const blockBytesMax = 65_535

const blocks = (bytes: Uint8Array): Array<Uint8Array> => {
  const found: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length; at += blockBytesMax) found.push(bytes.subarray(at, at + blockBytesMax))
  return found
}

const overTls = (socket: Net.Socket, onBytes: (bytes: Buffer) => void, onFailure: (cause: Error) => void): Channel => {
  const secure = Tls.connect({ socket, rejectUnauthorized: false })
  secure.on("data", onBytes).on("error", onFailure)
  const write = (bytes: Uint8Array, done?: () => void): void => void secure.write(bytes, done)
  return { write, prepare: (bytes) => bytes, writePrepared: write }
}

/** Some decoders emit nothing before this block. */
const syncMarker = Buffer.from([0, 0, 0, 0xff, 0xff])

const stored = (bytes: Uint8Array): Array<Uint8Array> => {
  const header = Buffer.alloc(5)
  header.writeUInt16LE(bytes.length, 1)
  header.writeUInt16LE(~bytes.length & 0xffff, 3)
  return [header, bytes]
}

const overDeflate = (
  socket: Net.Socket,
  onBytes: (bytes: Buffer) => void,
  onFailure: (cause: Error) => void
): Channel => {
  const inflate = Zlib.createInflateRaw({ chunkSize: 64 * 1024 })
  inflate.on("data", onBytes).on("error", onFailure)
  socket.on("data", (bytes) => inflate.write(bytes))
  return {
    write: (bytes, done) => void socket.write(Buffer.concat([...blocks(bytes).flatMap(stored), syncMarker]), done),
    prepare: (bytes) => Zlib.deflateRawSync(bytes, { finishFlush: Zlib.constants.Z_SYNC_FLUSH }),
    writePrepared: (bytes) => void socket.write(bytes)
  }
}

const chunk = (bytes: Uint8Array, body: Uint8Array, type: number): Buffer => {
  const crc = crc32.crc32c(bytes)
  const header = Buffer.alloc(8)
  header[0] = type
  header.writeUIntLE(body.length + 4, 1, 3)
  header.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0, 4)
  return Buffer.concat([header, body])
}

const overSnappy = (
  socket: Net.Socket,
  onBytes: (bytes: Buffer) => void,
  onFailure: (cause: Error) => void
): Channel => {
  let pending: Buffer = Buffer.alloc(0)
  socket.write(Buffer.from("\xff\x06\0\0sNaPpY", "latin1"))
  socket.on("data", (bytes) => {
    pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes])
    let at = 0
    while (pending.length - at >= 4) {
      const end = at + 4 + pending.readUIntLE(at + 1, 3)
      if (end > pending.length) break
      const type = pending[at]
      const body = pending.subarray(at + 8, end)
      if (type === 1) onBytes(body)
      else if (type === 0) onBytes(Buffer.from(snappy.uncompressSync(body)))
      else if (type !== 0xff) onFailure(new Error(`snappy chunk of type ${type}`))
      at = end
    }
    pending = pending.subarray(at)
  })
  return {
    write: (bytes, done) => void socket.write(Buffer.concat(blocks(bytes).map((part) => chunk(part, part, 1))), done),
    prepare: (bytes) => Buffer.concat(blocks(bytes).map((part) => chunk(part, snappy.compressSync(part), 0))),
    writePrepared: (bytes) => void socket.write(bytes)
  }
}

/** Upgrades a socket, from which nothing has been read since, as negotiated. */
export const upgrade = { tls: overTls, deflate: overDeflate, snappy: overSnappy }
