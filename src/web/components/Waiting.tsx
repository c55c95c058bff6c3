import { useAtomValue } from "@effect/atom-react"
import { liveAtom } from "../live/live.ts"
import { Notice } from "./Notice.tsx"

/** Instead of what samples show, before the first of them. */
export const Waiting = () => {
  const { connected } = useAtomValue(liveAtom)
  return connected === false
    ? <Notice kind="error">nsqadmin does not answer. It is asked again every few seconds.</Notice>
    : <p className="loading" role="status">Loading…</p>
}
