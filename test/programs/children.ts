/** Processes that a test starts, and their end after it. */
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"

/** Completes when a process has exited; at once if it has exited already. */
export const exited = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
}

/** Kills processes and waits for their end, so that they write no more files and send nothing more. */
export const killAll = async (children: ReadonlyArray<ChildProcess>): Promise<void> => {
  for (const child of children) child.kill("SIGKILL")
  await Promise.all(children.map(exited))
}
