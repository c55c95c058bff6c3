import { useAtomValue } from "@effect/atom-react"
import { liveAtom } from "../live/live.ts"
import { Notice } from "./Notice.tsx"

/** The placeholder before the first sample. */
export const Waiting = () => {
  const { connected } = useAtomValue(liveAtom)
  return connected === false
    ? <Notice kind="error">nsqadmin does not respond. The page retries every few seconds.</Notice>
    : <p className="loading" role="status">Loading…</p>
}
