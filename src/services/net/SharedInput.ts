/**
 * Reads of the sockets that a program opens. Node allocates 64 KiB for each read of a socket, which is most of the work of a read of
 * ten bytes, and fills memory with garbage. These sockets read into one buffer that all of them share: a read and the use of its
 * bytes are one synchronous step.
 */
import type * as Net from "node:net"
import process from "node:process"

/** As much as Node reads at a time. */
const memory = Buffer.allocUnsafeSlow(64 * 1024)

/**
 * Whether sockets have the option `onread` as Node documents it. Other runtimes have Node's modules, but some versions of them pass bytes
 * in other memory, or do not stop reading.
 */
export const isSupported = process.versions["bun"] === undefined && process.versions["deno"] === undefined

/** The input of one socket. */
export class SharedInput {
  private pass: ((bytes: Buffer) => void) | undefined
  /** Bytes that arrived before there was a function for them. */
  private early: Buffer | undefined

  /** The option of `Net.connect`. */
  readonly onread: Net.OnReadOpts = {
    buffer: memory,
    callback: (size) => {
      const bytes = memory.subarray(0, size)
      if (this.pass === undefined) this.early = Buffer.from(bytes)
      else this.pass(bytes)
      // False stops reading until the socket is resumed.
      return this.early === undefined
    }
  }

  /** Sets the function that gets the bytes of each read. They are valid until it returns. */
  passTo(pass: ((bytes: Buffer) => void) | undefined): void {
    this.pass = pass
    const { early } = this
    this.early = undefined
    if (early !== undefined) pass?.(early)
  }
}
