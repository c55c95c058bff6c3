/**
 * Why a utility ends with exit code 1: the text goes to standard error after the time, as NSQ's utilities have it.
 */
import { Schema } from "effect"

export class ToolError extends Schema.TaggedError<ToolError>()("ToolError", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

export const toolError = (reason: string): ToolError => new ToolError({ reason })

/** A file could not be written, synced or moved; it ends the program, whatever else could go on. */
export class FileFailed extends Schema.TaggedError<FileFailed>()("FileFailed", { reason: Schema.String }) {
  override get message(): string {
    return `FATAL: ${this.reason}`
  }
}
