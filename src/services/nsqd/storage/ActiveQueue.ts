/**
 * A disk queue in use: its activity, with what writes to it and what reads from it.
 */
import type { Disk } from "../disk/Disk.ts"
import { QueueActivity } from "./QueueActivity.ts"
import { QueueReading, type ReadQueue } from "./QueueReading.ts"
import { QueueWriter, type WrittenQueue } from "./QueueWriter.ts"

export class ActiveQueue extends QueueActivity {
  readonly writer: QueueWriter
  readonly reads: QueueReading

  constructor(
    disk: Disk["Service"],
    name: string,
    options: { readonly dataPath: string; readonly maxBytesPerFile: number; readonly maxMsgSize: number },
    queue: ReadQueue & WrittenQueue
  ) {
    super(disk, name, options, queue.positions)
    this.writer = new QueueWriter(queue, this)
    this.reads = new QueueReading(queue, this, this.writer)
  }

  override get isIdle(): boolean {
    return super.isIdle && this.writer.isIdle
  }
}
