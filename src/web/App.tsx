import { RegistryProvider, useAtomValue } from "@effect/atom-react"
import { useEffect, useRef } from "react"
import { Banner } from "./components/Banner.tsx"
import { ClusterSwitch } from "./components/ClusterSwitch.tsx"
import { Link } from "./components/Link.tsx"
import { OutcomeBox } from "./components/OutcomeBox.tsx"
import { Shortcuts } from "./components/Shortcuts.tsx"
import { ThemeSwitch } from "./components/ThemeSwitch.tsx"
import { routeAtom } from "./core/navigation.ts"
import * as Route from "./core/route.ts"
import { settings } from "./core/settings.ts"
import { TimeframeMenu } from "./graphite/Timeframe.tsx"
import { liveAtom } from "./live/live.ts"
import { ChannelPage } from "./pages/ChannelPage.tsx"
import { ClientPage } from "./pages/ClientPage.tsx"
import { CounterPage } from "./pages/CounterPage.tsx"
import { DaemonsPage } from "./pages/DaemonsPage.tsx"
import { LookupPage } from "./pages/LookupPage.tsx"
import { MessagesPage } from "./pages/MessagesPage.tsx"
import { NodePage } from "./pages/NodePage.tsx"
import { NodesPage } from "./pages/NodesPage.tsx"
import { PoliciesPage } from "./pages/PoliciesPage.tsx"
import { TopicPage } from "./pages/TopicPage.tsx"
import { TopicsPage } from "./pages/TopicsPage.tsx"
import { WarningsPage } from "./pages/WarningsPage.tsx"

const Page = ({ route }: { readonly route: Route.Route }) => {
  switch (route._tag) {
    case "Topics":
      return <TopicsPage />
    case "Topic":
      return <TopicPage key={route.topic} topic={route.topic} />
    case "Channel":
      return <ChannelPage key={`${route.topic}/${route.channel}`} topic={route.topic} channel={route.channel} />
    case "Messages":
      return (
        <MessagesPage
          key={`${route.topic}/${route.channel ?? ""}`}
          topic={route.topic}
          {...(route.channel === undefined ? {} : { channel: route.channel })}
        />
      )
    case "Policies":
      return <PoliciesPage />
    case "Nodes":
      return <NodesPage />
    case "Node":
      return <NodePage key={route.node} node={route.node} />
    case "Client":
      return <ClientPage key={`${route.node} ${route.client}`} node={route.node} client={route.client} />
    case "Counter":
      return <CounterPage />
    case "Lookup":
      return <LookupPage />
    case "Warnings":
      return <WarningsPage />
    case "Daemons":
      return <DaemonsPage />
    case "Unknown":
      return (
        <>
          <h1>Not found</h1>
          <p>
            The page <code>{route.path}</code> does not exist. See all <Link to={Route.topics}>topics</Link>.
          </p>
        </>
      )
  }
}

const isTopics = ({ _tag }: Route.Route): boolean =>
  _tag === "Topics" || _tag === "Topic" || _tag === "Channel" || _tag === "Messages"

const isNodes = ({ _tag }: Route.Route): boolean => _tag === "Nodes" || _tag === "Node" || _tag === "Client"

const Header = ({ route }: { readonly route: Route.Route }) => {
  const { connected, daemons, warnings } = useAtomValue(liveAtom)
  const gone = daemons.filter(({ reachable }) => !reachable).length
  const shown = warnings.filter(({ muted_until }) => muted_until === null).length
  return (
    <header>
      <a className="skip" href="#main">Skip to content</a>
      <Link to={Route.topics} className="logo">nsqadmin</Link>
      <ClusterSwitch />
      <nav aria-label="Main">
        <Link to={Route.topics} current={isTopics(route)}>Topics</Link>
        <Link to={Route.warnings} current={route._tag === "Warnings"}>
          Warnings {shown > 0 && <span className="bubble">{shown}</span>}
        </Link>
        <Link to={Route.nodes} current={isNodes(route)}>Nodes</Link>
        <Link to={Route.daemons} current={route._tag === "Daemons"}>
          Daemons {gone > 0 && <span className="bubble error">{gone} unreachable</span>}
        </Link>
        <Link to={Route.policies} current={route._tag === "Policies"}>Policies</Link>
        <Link to={Route.lookup} current={route._tag === "Lookup"}>Lookup</Link>
        <Link to={Route.counter} current={route._tag === "Counter"}>Counter</Link>
      </nav>
      <span className={connected === false ? "state lost" : "state"} role="status">
        {connected === true ? "Live" : connected === false ? "Connection lost" : "Connecting"}
      </span>
      <Shortcuts />
      <TimeframeMenu />
      <ThemeSwitch />
    </header>
  )
}

const Shell = () => {
  const route = useAtomValue(routeAtom)
  const main = useRef<HTMLElement>(null)
  const shown = useRef(route)
  useEffect(() => {
    document.title = [Route.title(route), settings.cluster, "nsqadmin"].filter((part) => part !== "").join(" – ")
    // Moves the keyboard focus to the start of the new page.
    if (shown.current !== route) main.current?.focus()
    shown.current = route
  }, [route])
  return (
    <>
      <Header route={route} />
      <main id="main" ref={main} tabIndex={-1}>
        <Banner />
        <Page route={route} />
      </main>
      <OutcomeBox />
      <footer>
        <a href="https://nsq.io" rel="noreferrer">NSQ documentation</a>
        <span>nsqadmin v{settings.version}</span>
      </footer>
    </>
  )
}

/**
 * How long an atom without a listener is kept, in milliseconds. React renders a component before it subscribes: without this time,
 * the registry would drop what the rendering had requested, and request it again.
 */
const idleMillis = 400

/** nsqadmin's pages. */
export const App = () => (
  <RegistryProvider defaultIdleTTL={idleMillis}>
    <Shell />
  </RegistryProvider>
)
