/**
 * The mean size of the messages that an earlier process has left in a log, from the beginnings of its segments: a limit of bytes must not
 * take them for as large as those that are published next.
 */
import { Effect } from "effect"
import { messageFrameHeaderSize } from "../../../protocol/client/FrameFields.ts"
import { logHeaderSize, readLogHeader } from "../../../protocol/storage/LogRecord.ts"
import type { DiskError } from "../disk/Disk.ts"
import type { ScanHost } from "./LogScan.ts"
import type { Segment } from "./Segment.ts"

/** Segments that are looked at: a start opens no more files for it. */
const samples = 16
/** Bytes that are read of each. */
const sampleBytes = 64 * 1024

/** The mean size in the first records of a segment; `undefined` without any. */
const meanIn = ({ disk, epoch }: ScanHost, { path }: Segment): Effect.Effect<number | undefined, DiskError> =>
  Effect.acquireUseRelease(
    disk.open(path),
    (file) =>
      Effect.suspend(() => {
        const block = Buffer.allocUnsafe(sampleBytes)
        return Effect.map(file.read(block, 0), (size) => {
          const bytes = block.subarray(0, size)
          let payload = 0
          let count = 0
          for (let at = 0, header = readLogHeader(bytes, 0, epoch); header !== undefined;) {
            payload += header.payloadBytes
            count += header.count
            at += logHeaderSize + header.payloadBytes
            header = readLogHeader(bytes, at, epoch)
          }
          return count === 0 ? undefined : payload / count - messageFrameHeaderSize
        })
      }),
    (file) => file.close
  )

/** About how many bytes the headers and the body of a message have; `undefined` without messages. */
export const meanSize = Effect.fnUntraced(function*(host: ScanHost): Effect.fn.Return<number | undefined, DiskError> {
  const { all } = host.segments
  const step = Math.ceil(all.length / samples)
  let bytes = 0
  let count = 0
  for (let i = 0; i < all.length; i += step) {
    const segment = all[i]!
    const mean = yield* meanIn(host, segment)
    if (mean === undefined) continue
    bytes += mean * (segment.end - segment.first)
    count += segment.end - segment.first
  }
  return count === 0 ? undefined : bytes / count
})
