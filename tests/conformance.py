"""
What the project promises, each with the test that holds it to that: every option of the
configuration, and every mishap that users of other proxies have met.

The page C{docs/conformance.rst} is made from this, and L{tests.test_conformance} sees to it that
nothing is missing, that every test is there, and that nothing is named that does not exist.

An option has two tests.  L{tests.config.test_schema} reads each from a file and finds it in the
model; the test that is named here shows what comes of it: on the data path, in the service, in
a certificate, in what is written.  It fails when the setting is read and then forgotten.

Here is nothing but names, and nothing is imported: the manual is built without the tests.
"""

from __future__ import annotations

__all__ = ["EFFECTS", "MISHAPS"]


def _under(place: str, **tests: str) -> dict[str, str]:
    """
    Options of one mapping.

    @param place: The name of the mapping in the schema.
    @param tests: For each option its test, without the package C{tests}.
    """
    return {f"{place}.{option.rstrip('_')}": f"tests.{test}" for option, test in tests.items()}


_SESSION = "plane.test_session"
_BASIC = "guards.test_basic.BasicTests"
_BEARER = "guards.test_bearer.BearerTests"
_INQUIRY = "guards.test_inquiry.InquiryTests"
_SHARING = "guards.test_cors.SharingTests"
_ADVICE = "guards.test_advice.AdviceTests"
_SHOWN = "guards.test_shown.ShownTests"
_GUARDED = "control.test_guarded.GuardedTests"
_FILES = "actions.test_files.FilesTests"
_BLOCK = "actions.test_block.BlockTests"
_REVISED = "plane.test_revised.RevisedTests"
_TARGET = "routing.test_rewriting.TargetTests"
_SITES = "config.test_sites.ExpandTests"
_LOOK = "upstream.test_looking.LookTests"
_CHECKUPS = "service.test_checkups.CheckupsTests"
_BALANCED = "upstream.test_balanced"
_INTRODUCED = "upstream.test_introduction"
_DIAL = "upstream.test_dial"
_POLICY = "plane.test_policy"
_UPDATE = "records.test_update.UpdateTests"
_HOOK = "records.test_hook.HookTests"
_LEXICON = "records.test_lexicon.ProvidersTests"
_EXTERNAL = "acme.test_external"
_CONDITIONS = "plane.test_conditions.ConditionTests"
_BRANCHES = "actions.test_branches.BranchesTests"
_DYNAMIC = "actions.test_dynamic.DynamicTests"
_ASSORTED = "upstream.test_assortment.AssortmentTests"
_SPELL = "plane.test_spell"
_OVERVIEW = "service.test_overview.RunningTests"
_HELLO = "routing.test_table.HelloTests"
_MANY_KINDS = "plane.test_greeting.ManyKindsTests"

#: What is said of bytes that are ended by TLS here holds whatever is done with them.
_TERMINATED = f"{_HELLO}.test_certificates"

_FILE = _under(
    "File",
    include="config.test_inclusion.InclusionTests.test_joined",
    bind="service.test_composition.CompositionTests.test_bind",
    workers="service.test_composition.CompositionTests.test_plane",
    state_dir="service.test_composition.CompositionTests.test_stateDirectory",
    access_log="control.test_local.LocalPlaneTests.test_accessLog",
    admin="service.test_admin.AdminTests.test_life",
    metrics="service.test_metrics.MetricsTests.test_told",
    log="live.test_process.RunningTests.test_json",
    timeouts=f"{_SESSION}.TimeTests.test_slowHead",
    limits="plane.test_accept.AcceptTests.test_limit",
    trusted_proxies="plane.test_door.ForwardedTests.test_trusted",
    proxy_protocol="plane.test_announcement.BelievedTests.test_http",
    request_id="plane.test_numbers.RequestIDTests.test_off",
    error_pages=f"{_REVISED}.test_pages",
    python_path="actions.test_applications.LifeTests.test_pythonPath",
    watch="service.test_turnover.FileTests.test_watched",
    http2_prior_knowledge="plane.test_multiplex.RequestTests.test_request",
    acme="service.test_composition.CompositionTests.test_authorities",
    defaults="config.test_safeguards.SafeguardsTests.test_defaults",
    sites=f"{_SITES}.test_plainSite",
    routes=f"{_SESSION}.AnsweringTests.test_routedPerRequest",
)

_PROCESS = {
    **_under(
        "AccessLog",
        format="plane.test_record.AccessLogTests.test_json",
        file="control.test_local.LocalPlaneTests.test_accessLog",
    ),
    **_under("Log", format="live.test_process.RunningTests.test_json"),
    **_under(
        "Admin",
        socket="service.test_admin.AdminTests.test_life",
        listen=f"{_OVERVIEW}.test_port",
        token=f"{_OVERVIEW}.test_tokenInPlace",
        token_file=f"{_OVERVIEW}.test_port",
        allow_remote="config.test_schema.OptionTests.test_adminPort",
    ),
    **_under("Metrics", listen="service.test_metrics.MetricsTests.test_told"),
    **_under(
        "Timeouts",
        head=f"{_SESSION}.TimeTests.test_slowHead",
        connect="plane.test_stream.StreamTests.test_slowTarget",
        idle=f"{_SESSION}.TimeTests.test_idleOrigin",
        keep_alive=f"{_SESSION}.TimeTests.test_idleClient",
        body="plane.test_pace.BodyTests.test_options",
        write="plane.test_pace.AnswerTests.test_stalls",
        drain="service.test_tree.EmbeddedTests.test_requestThatTakesTooLong",
        drain_streams="service.test_turnover.StoryTests.test_departed",
    ),
    **_under(
        "Limits",
        head_bytes=f"{_SESSION}.StrictnessTests.test_sizes",
        url_bytes="control.test_local.LocalPlaneTests.test_limits",
        body_bytes="plane.test_bodies.LimitTests.test_announced",
        min_rate="plane.test_pace.BodyTests.test_options",
        connections="plane.test_accept.AcceptTests.test_limit",
        streams="plane.test_multiplex.RequestTests.test_tooMany",
        held_bytes="plane.test_intake.CollectTests.test_together",
    ),
    **_under(
        "ProxyProtocol",
        ports="plane.test_announcement.BelievedTests.test_otherPorts",
        from_="plane.test_announcement.BelievedTests.test_http",
        mode="plane.test_announcement.AcceptTests.test_without",
        timeout="plane.test_announcement.RefusedTests.test_slow",
    ),
}

_ACME = {
    **_under(
        "Acme",
        email="acme.test_issuer.PassingFaultTests.test_email",
        directory="service.test_composition.CompositionTests.test_authorities",
        ca_file="service.test_links.LinkTests.test_presentedHTTP01",
        external_account=f"{_EXTERNAL}.BindingTests.test_bound",
        profile="acme.test_profiles.OrderTests.test_orders",
        key_type="testing.test_authority.ClientTests.test_keyType",
        fallbacks="service.test_composition.CompositionTests.test_authorities",
        preflight="service.test_composition.CompositionTests.test_preflight",
        dns="service.test_presenting.RecordsTests.test_configured",
        hooks="service.test_hooked.HookedTests.test_afterAll",
        challenges="service.test_composition.CompositionTests.test_challenges",
        http_port="plane.test_engine.EngineTests.test_challengePorts",
        tls_port="plane.test_engine.EngineTests.test_challengePorts",
    ),
    **_under(
        "ExternalAccount",
        key_id=f"{_EXTERNAL}.BindingTests.test_unknown",
        hmac_key=f"{_EXTERNAL}.BindingTests.test_bound",
        hmac_key_file=f"{_EXTERNAL}.ReadingTests.test_sources",
    ),
    **_under(
        "Fallback",
        directory="service.test_composition.CompositionTests.test_authorities",
        email="acme.test_issuer.PassingFaultTests.test_email",
        ca_file="service.test_links.LinkTests.test_presentedHTTP01",
        external_account=f"{_EXTERNAL}.BindingTests.test_bound",
        profile="acme.test_profiles.OrderTests.test_orders",
    ),
    **_under(
        "Preflight",
        mode="service.test_composition.CompositionTests.test_preflight",
        resolvers="service.test_composition.CompositionTests.test_preflightAsConfigured",
        http_port="service.test_composition.CompositionTests.test_preflightAsConfigured",
        tls_port="service.test_composition.CompositionTests.test_preflightAsConfigured",
    ),
    **_under(
        "OwnZones",
        type="service.test_nameserver.NameServerTests.test_asConfigured",
        zones="service.test_nameserver.NameServerTests.test_asConfigured",
        name="service.test_nameserver.NameServerTests.test_asConfigured",
        listen="service.test_nameserver.NameServerTests.test_asConfigured",
    ),
    **_under(
        "DynamicUpdate",
        type="service.test_presenting.RecordsTests.test_configured",
        server=f"{_UPDATE}.test_alias",
        key_name=f"{_UPDATE}.test_sideBySide",
        key_algorithm=f"{_UPDATE}.test_keyAlgorithm",
        key_secret=f"{_UPDATE}.test_sideBySide",
        key_secret_file=f"{_UPDATE}.test_keyFile",
        ttl=f"{_UPDATE}.test_lifetime",
        zone=f"{_UPDATE}.test_zone",
        resolvers=f"{_UPDATE}.test_noResolver",
        name_servers=f"{_UPDATE}.test_chosenServers",
        patience=f"{_UPDATE}.test_gaveUp",
    ),
    **_under(
        "Hook",
        type="service.test_presenting.RecordsTests.test_configured",
        command=f"{_HOOK}.test_told",
        timeout=f"{_HOOK}.test_tooLong",
        zone=f"{_HOOK}.test_zone",
        resolvers=f"{_HOOK}.test_resolvers",
        name_servers="records.test_program.ProgramRecordsTests.test_present",
        patience=f"{_HOOK}.test_unseen",
    ),
    **_under(
        "Lexicon",
        type="service.test_presenting.RecordsTests.test_configured",
        provider=f"{_LEXICON}.test_unknown",
        options=f"{_LEXICON}.test_options",
        option_files=f"{_LEXICON}.test_options",
        ttl=f"{_LEXICON}.test_options",
        timeout=f"{_LEXICON}.test_hangs",
        zone=f"{_LEXICON}.test_zone",
        resolvers=f"{_LEXICON}.test_resolvers",
        name_servers=f"{_LEXICON}.test_unseen",
        patience=f"{_LEXICON}.test_unseen",
    ),
    **_under(
        "CertificateHook",
        command="service.test_hooks.HooksTests.test_told",
        events="service.test_hooks.HooksTests.test_kinds",
        names="service.test_hooks.HooksTests.test_names",
        timeout="service.test_hooks.HooksTests.test_failure",
    ),
}

_ROUTES = {
    **_under(
        "Site",
        to=f"{_SITES}.test_plainSite",
        www=f"{_SITES}.test_www",
        certificate=f"{_SITES}.test_certificates",
        load_balancing=f"{_BALANCED}.IPHashTests.test_byClient",
        health=f"{_CHECKUPS}.test_thresholds",
        **dict.fromkeys(
            (
                "headers",
                "rewrite",
                "compress",
                "error_pages",
                "security",
                "cors",
                "security_headers",
                "limits",
                "timeouts",
                "websocket",
            ),
            "config.test_readers.SiteOptionTests.test_asRoute",
        ),
    ),
    **_under(
        "Route",
        name="routing.test_table.PrecedenceTests.test_order",
        match=f"{_SESSION}.AnsweringTests.test_routedPerRequest",
        action=f"{_SESSION}.AnsweringTests.test_routedPerRequest",
        priority="routing.test_table.PrecedenceTests.test_priorityBeforeAll",
        enabled="config.test_readers.RouteTests.test_disabled",
        security=f"{_GUARDED}.test_lists",
        cors=f"{_GUARDED}.test_browsers",
        security_headers=f"{_GUARDED}.test_browsers",
        limits=f"{_GUARDED}.test_bodies",
        timeouts=f"{_SPELL}.TunnelTests.test_idle",
        websocket=f"{_SPELL}.HandshakeTests.test_refused",
        headers=f"{_REVISED}.test_requests",
        rewrite=f"{_REVISED}.test_requests",
        compress=f"{_REVISED}.test_compressed",
        error_pages=f"{_REVISED}.test_pages",
    ),
    **_under(
        "RouteTimeouts",
        idle=f"{_SPELL}.TunnelTests.test_idle",
        connect=f"{_SPELL}.ConnectTests.test_slow",
        lifetime=f"{_SPELL}.TunnelTests.test_lifetime",
    ),
    **_under(
        "WebSockets",
        origins=f"{_SPELL}.HandshakeTests.test_origins",
        idle=f"{_SPELL}.WebSocketTests.test_idle",
        lifetime=f"{_SPELL}.WebSocketTests.test_lifetime",
    ),
    **_under("RouteLimits", body_bytes=f"{_GUARDED}.test_bodies"),
    **_under(
        "Match",
        ports="routing.test_table.TableTests.test_decide",
        domains="routing.test_table.PrecedenceTests.test_domains",
        path="routing.test_table.PrecedenceTests.test_paths",
        headers=f"{_CONDITIONS}.test_head",
        query=f"{_CONDITIONS}.test_head",
        method=f"{_CONDITIONS}.test_head",
        client_ip=f"{_CONDITIONS}.test_clients",
        tls_version=f"{_CONDITIONS}.test_versions",
        protocol=f"{_MANY_KINDS}.test_noHTTPOnATCPPort",
    ),
    **_under(
        "PortRange",
        from_="routing.test_table.TableTests.test_range",
        to="routing.test_table.TableTests.test_range",
    ),
}

_TARGETS = {
    **_under(
        "Forward",
        protocol="plane.test_trunk.TrunkTests.test_protocols",
        type=f"{_SESSION}.AnsweringTests.test_bytesBothWays",
        targets="upstream.test_group.GroupTests.test_turns",
        tls=f"{_HELLO}.test_passthroughAndTerminated",
        pool="upstream.test_pool.BoundTests.test_waits",
        load_balancing=f"{_BALANCED}.IPHashTests.test_byClient",
        health=f"{_CHECKUPS}.test_thresholds",
        decision_timeout=f"{_DYNAMIC}.test_late",
        send_proxy_protocol=f"{_INTRODUCED}.HTTPTests.test_told",
    ),
    **_under(
        "Balancing",
        algorithm=f"{_BALANCED}.LeastConnectionsTests.test_neverABusierOne",
        slow_start=f"{_BALANCED}.SlowStartTests.test_grows",
        sticky=f"{_BALANCED}.StickyTests.test_comesBack",
    ),
    **_under(
        "Sticky",
        cookie="control.test_local.LocalPlaneTests.test_sticky",
        max_age="control.test_local.LocalPlaneTests.test_sticky",
        secret=f"{_BALANCED}.StickyTests.test_secret",
    ),
    **_under(
        "Health",
        active=f"{_CHECKUPS}.test_thresholds",
        passive=f"{_BALANCED}.EjectionTests.test_longer",
    ),
    **_under(
        "ActiveCheck",
        type=f"{_LOOK}.test_tcp",
        path=f"{_LOOK}.test_http",
        host=f"{_LOOK}.test_http",
        port=f"{_LOOK}.test_tcp",
        status=f"{_LOOK}.test_http",
        interval=f"{_CHECKUPS}.test_asConfigured",
        timeout=f"{_LOOK}.test_silent",
        healthy=f"{_CHECKUPS}.test_asConfigured",
        unhealthy=f"{_CHECKUPS}.test_asConfigured",
    ),
    **_under(
        "PassiveCheck",
        failures=f"{_BALANCED}.EjectionTests.test_longer",
        eject_for=f"{_BALANCED}.EjectionTests.test_longer",
        eject_for_at_most=f"{_BALANCED}.EjectionTests.test_longer",
        statuses="upstream.test_shared.SharedTests.test_erred",
    ),
    **_under(
        "Pool",
        connections="upstream.test_pool.BoundTests.test_waits",
        queue="upstream.test_pool.BoundTests.test_full",
        wait="upstream.test_pool.WaitTests.test_wait",
    ),
    **_under(
        "Target",
        protocol="plane.test_trunk.TrunkTests.test_protocols",
        host=f"{_DIAL}.AddressTests.test_names",
        port="upstream.test_group.GroupTests.test_preserve",
        match=f"{_BRANCHES}.test_conditions",
        priority=f"{_BRANCHES}.test_priority",
        weight=f"{_BALANCED}.WeightTests.test_proportion",
        tls=f"{_DIAL}.SecrecyTests.test_verified",
        headers=f"{_BRANCHES}.test_turns",
        send_proxy_protocol=f"{_INTRODUCED}.HTTPTests.test_perTarget",
    ),
    **_under(
        "UnixTarget",
        protocol="plane.test_trunk.TrunkTests.test_protocols",
        unix=f"{_DIAL}.AddressTests.test_unix",
        match=f"{_BRANCHES}.test_conditions",
        priority=f"{_BRANCHES}.test_priority",
        weight=f"{_BALANCED}.WeightTests.test_proportion",
        tls=f"{_DIAL}.SecrecyTests.test_unixWithoutName",
        headers=f"{_BRANCHES}.test_turns",
        send_proxy_protocol=f"{_INTRODUCED}.HTTPTests.test_unixTarget",
    ),
    **_under(
        "Service",
        srv="upstream.test_serviced.ServicedTests.test_comeAndGo",
        weight="upstream.test_serviced.ServicedTests.test_weight",
    ),
    **_under(
        "SourceTarget",
        protocol=f"{_ASSORTED}.test_protocol",
        source=f"{_DYNAMIC}.test_source",
        settings="actions.test_plugged.PluggedTests.test_kept",
        match=f"{_BRANCHES}.test_conditions",
        priority=f"{_BRANCHES}.test_priority",
        tls=f"{_ASSORTED}.test_spoken",
        headers=f"{_BRANCHES}.test_turns",
        send_proxy_protocol=f"{_ASSORTED}.test_spoken",
    ),
    **_under(
        "TargetMatch",
        path=f"{_BRANCHES}.test_conditions",
        headers=f"{_BRANCHES}.test_conditions",
        query=f"{_BRANCHES}.test_conditions",
        method=f"{_BRANCHES}.test_conditions",
        client_ip=f"{_BRANCHES}.test_conditions",
    ),
    **_under(
        "TargetTLS",
        server_name=f"{_DIAL}.SecrecyTests.test_otherName",
        insecure_skip_verify=f"{_DIAL}.SecrecyTests.test_notVerified",
        ca_file=f"{_DIAL}.SecrecyTests.test_verified",
    ),
    **_under(
        "ProxyHeader",
        version=f"{_INTRODUCED}.HTTPTests.test_told",
        tlvs=f"{_INTRODUCED}.StreamTests.test_passthrough",
    ),
}

_TLS = {
    **_under("Passthrough", mode=f"{_HELLO}.test_passthroughAndTerminated"),
    **_under("Terminate", mode=f"{_HELLO}.test_passthroughAndTerminated"),
    **_under(
        "Reencrypt",
        mode=f"{_DIAL}.SecrecyTests.test_verified",
        server_name=f"{_DIAL}.SecrecyTests.test_otherName",
        insecure_skip_verify=f"{_DIAL}.SecrecyTests.test_notVerified",
        ca_file=f"{_DIAL}.SecrecyTests.test_verified",
    ),
    **{
        option: test
        for kind in ("Terminate", "Reencrypt")
        for option, test in _under(
            kind,
            certificate=_TERMINATED,
            min_version=f"{_POLICY}.PolicyTests.test_versions",
            max_version=f"{_POLICY}.PolicyTests.test_versions",
            ciphers=f"{_POLICY}.PolicyTests.test_ciphers",
            http2=f"{_POLICY}.PolicyTests.test_http2",
            client_certificates=f"{_POLICY}.ClientCertificateTests.test_verdicts",
        ).items()
    },
    **_under(
        "ClientCertificates",
        mode=f"{_POLICY}.ClientCertificateTests.test_verdicts",
        ca_file=f"{_POLICY}.ClientCertificateTests.test_verdicts",
    ),
    **_under(
        "KeyPair",
        cert="service.test_files.FileCertificateTests.test_loaded",
        key="service.test_files.FileCertificateTests.test_loaded",
    ),
}

_ACTIONS = {
    **_under(
        "Redirect",
        type="plane.test_exchange.LocalAnswerTests.test_redirectAndBlock",
        to="actions.test_redirect.RedirectTests.test_variables",
        status="actions.test_redirect.RedirectTests.test_status",
        tls=_TERMINATED,
    ),
    **_under(
        "Respond",
        type="plane.test_exchange.LocalAnswerTests.test_respond",
        status="actions.test_respond.RespondTests.test_fixed",
        headers="actions.test_respond.RespondTests.test_fixed",
        body="actions.test_respond.RespondTests.test_fixed",
        tls=_TERMINATED,
    ),
    **_under(
        "Files",
        type=f"{_FILES}.test_file",
        root=f"{_FILES}.test_file",
        index=f"{_FILES}.test_directories",
        listing=f"{_FILES}.test_listing",
        cache=f"{_FILES}.test_cache",
        precompressed=f"{_FILES}.test_precompressed",
        fallback=f"{_FILES}.test_nothing",
        not_found=f"{_FILES}.test_nothing",
        hidden="actions.test_tree.TreeTests.test_hidden",
        symlinks="actions.test_tree.TreeTests.test_links",
        strip_prefix=f"{_FILES}.test_prefix",
        tls=_TERMINATED,
    ),
    **_under(
        "Socket",
        type="plane.test_served.ServedTests.test_bytes",
        factory="actions.test_importing.ImportedTests.test_kinds",
        kind="actions.test_importing.ImportedTests.test_kinds",
        arguments="actions.test_applications.LifeTests.test_arguments",
        threads="actions.test_wsgi.WSGITests.test_exhausted",
        queue="actions.test_wsgi.WSGITests.test_exhausted",
        body_bytes="actions.test_wsgi.WSGITests.test_tooLong",
        python_path="actions.test_importing.ImportedTests.test_path",
        tls="plane.test_served.ServedTests.test_tls",
    ),
    **_under(
        "Block",
        type="plane.test_exchange.LocalAnswerTests.test_redirectAndBlock",
        status=f"{_BLOCK}.test_request",
        body=f"{_BLOCK}.test_words",
        reset=f"{_BLOCK}.test_reset",
        tls=f"{_HELLO}.test_passthroughAndTerminated",
    ),
}

_PROTECTIONS = {
    **_under(
        "Defaults",
        security="config.test_safeguards.SafeguardsTests.test_defaults",
        security_headers="config.test_safeguards.SafeguardsTests.test_defaults",
    ),
    **_under(
        "Security",
        inherit="config.test_safeguards.SafeguardsTests.test_defaults",
        ip_allow_list="guards.test_gatehouse.GatehouseTests.test_alone",
        ip_block_list=f"{_GUARDED}.test_lists",
        max_connections=f"{_GUARDED}.test_inFlight",
        max_connections_per_ip=f"{_GUARDED}.test_streams",
        connection_rate_per_minute="guards.test_gatehouse.GatehouseTests.test_alone",
        client_prefix="guards.test_gatehouse.GatehouseTests.test_prefix",
        rate_limit=f"{_GUARDED}.test_rate",
        basic_auth=f"{_GUARDED}.test_basic",
        jwt_auth=f"{_GUARDED}.test_token",
        forward_auth=f"{_GUARDED}.test_forward",
        client_certificate_headers=f"{_GUARDED}.test_certificate",
    ),
    **_under(
        "RateLimit",
        requests="guards.test_pace.RequestsTests.test_keys",
        window=f"{_GUARDED}.test_rate",
        burst="guards.test_pace.RequestsTests.test_keys",
        key="guards.test_pace.RequestsTests.test_keys",
    ),
    **_under(
        "BasicAuth",
        users=f"{_BASIC}.test_right",
        file=f"{_GUARDED}.test_basic",
        realm=f"{_BASIC}.test_asks",
        user_header=f"{_BASIC}.test_handedOn",
        pass_credentials=f"{_BASIC}.test_handedOn",
    ),
    **_under(
        "JwtAuth",
        algorithms=f"{_BEARER}.test_algorithms",
        secret=f"{_GUARDED}.test_token",
        secret_file=f"{_GUARDED}.test_token",
        key_file=f"{_BEARER}.test_confusion",
        jwks_url="guards.test_gatehouse.GatehouseTests.test_keys",
        ca_file="guards.test_gatehouse.GatehouseTests.test_trust",
        issuer=f"{_BEARER}.test_parties",
        audience=f"{_BEARER}.test_parties",
        leeway=f"{_BEARER}.test_times",
        token=f"{_BEARER}.test_places",
        claims=f"{_BEARER}.test_claims",
        scopes=f"{_BEARER}.test_scopes",
        realm=f"{_BEARER}.test_noToken",
        pass_token=f"{_BEARER}.test_claims",
    ),
    **_under(
        "ForwardAuth",
        url=f"{_GUARDED}.test_forward",
        copy_headers=f"{_INQUIRY}.test_passes",
        answer_headers=f"{_INQUIRY}.test_passes",
        request_headers=f"{_INQUIRY}.test_some",
        timeout="guards.test_gatehouse.GatehouseTests.test_patience",
        concurrency=f"{_INQUIRY}.test_concurrency",
        ca_file="guards.test_gatehouse.GatehouseTests.test_unusable",
    ),
    **_under(
        "CertificateHeaders",
        subject=f"{_SHOWN}.test_told",
        names=f"{_SHOWN}.test_told",
        fingerprint=f"{_SHOWN}.test_told",
        serial=f"{_SHOWN}.test_told",
        verified=f"{_SHOWN}.test_told",
    ),
    **_under(
        "Cors",
        origins=f"{_SHARING}.test_otherOrigin",
        methods=f"{_SHARING}.test_preflight",
        headers=f"{_SHARING}.test_preflight",
        expose=f"{_SHARING}.test_answers",
        credentials=f"{_SHARING}.test_answers",
        max_age=f"{_SHARING}.test_preflight",
    ),
    **_under(
        "SecurityHeaders",
        strict_transport=f"{_ADVICE}.test_added",
        content_type_options=f"{_GUARDED}.test_browsers",
        frame_options=f"{_ADVICE}.test_added",
        referrer_policy=f"{_ADVICE}.test_added",
        permissions_policy=f"{_ADVICE}.test_added",
        content_security_policy=f"{_ADVICE}.test_added",
        override=f"{_ADVICE}.test_override",
    ),
    **_under(
        "StrictTransport",
        max_age=f"{_ADVICE}.test_added",
        include_subdomains=f"{_ADVICE}.test_added",
        preload=f"{_ADVICE}.test_added",
    ),
}

_REVISIONS = {
    **_under(
        "Headers",
        request=f"{_REVISED}.test_requests",
        response=f"{_REVISED}.test_actions",
    ),
    **{
        option: test
        for kind in ("RequestChanges", "ResponseChanges")
        for option, test in _under(
            kind,
            **dict.fromkeys(
                ("set", "add", "remove"),
                "actions.test_amended.AmendedTests.test_fields"
                if kind == "RequestChanges"
                else "actions.test_headings.HeadingsTests.test_changes",
            ),
        ).items()
    },
    **_under(
        "Rewrite",
        strip_prefix=f"{_TARGET}.test_strip",
        replace_path=f"{_TARGET}.test_replace",
        regex=f"{_TARGET}.test_regex",
        add_prefix=f"{_TARGET}.test_add",
        query=f"{_TARGET}.test_query",
        map_location="actions.test_build.BuildTests.test_order",
    ),
    **_under("RegexRule", match=f"{_TARGET}.test_regex", to=f"{_TARGET}.test_regex"),
    **_under("Query", set=f"{_TARGET}.test_query", remove=f"{_TARGET}.test_query"),
    **_under(
        "Compress",
        encodings="actions.test_compression.CompressionTests.test_level",
        types="actions.test_compression.CompressionTests.test_types",
        min_bytes="actions.test_compression.CompressionTests.test_minBytes",
        level="actions.test_compression.CompressionTests.test_level",
    ),
    **_under(
        "PageForm",
        body="actions.test_pages.PageTests.test_replaced",
        file="actions.test_pages.PageTests.test_replaced",
        type="actions.test_pages.PageTests.test_forms",
    ),
}

#: For each option of the schema, as C{Mapping.option}, the test of what comes of it.
EFFECTS: dict[str, str] = {
    **_FILE,
    **_PROCESS,
    **_ACME,
    **_ROUTES,
    **_TARGETS,
    **_TLS,
    **_ACTIONS,
    **_PROTECTIONS,
    **_REVISIONS,
}

#: What went wrong for users of other proxies, in the order in which they are known, each with the
#: test that it does not here.
MISHAPS: tuple[tuple[str, str], ...] = tuple(
    (told, f"tests.{test}")
    for told, test in (
        (
            "A certificate was ordered while the port of its challenge was not bound yet.",
            "service.test_mishaps.IssuedBeforeThePortWasBound.test_waits",
        ),
        (
            "The listener for challenges came and went with each certificate, and was in its own way.",
            "service.test_mishaps.ListenerAddedAndRemovedPerCertificate.test_once",
        ),
        (
            "The proxy's own listener was reported as that of another program.",
            "service.test_mishaps.OwnListenerReportedAsSomebodyElses.test_shared",
        ),
        (
            "New routes made all that was known of certificates begin anew; orders under way were lost.",
            "service.test_mishaps.StateRebuiltWithTheRoutes.test_underWay",
        ),
        (
            "Settings of the whole proxy were read and went nowhere.",
            "config.test_schema.OptionTests.test_everyOptionWorks",
        ),
        (
            "Options existed for months and did nothing.",
            "test_conformance.ConformanceTests.test_everyOption",
        ),
        (
            "Two classes had one name, and the data path skipped lists that were of the other one.",
            "control.test_guarded.GuardedTests.test_fromFile",
        ),
        (
            "A target that refused the connection ended the process.",
            f"{_DIAL}.AddressTests.test_refused",
        ),
        (
            "A connection was counted until both of its sides had closed, and some were counted for ever.",
            f"{_GUARDED}.test_inFlight",
        ),
        (
            "A client that left while its target was being connected to left that connection behind.",
            "plane.test_link.UpstreamTests.test_clientGoneWhileConnecting",
        ),
        (
            "Behind another proxy all clients had one address, and shared one limit.",
            "guards.test_crowd.CrowdTests.test_behindProxy",
        ),
        (
            "A WebSocket inside of TLS that is passed through was cut after half a minute.",
            "plane.test_tunnel.EndingTests.test_quietPassthrough",
        ),
        (
            "A kept connection to a target was closed for its age, with what was still using it.",
            "upstream.test_pool.NameTests.test_moved",
        ),
        (
            "A kept connection that the target had just closed was 502 for the client.",
            "plane.test_link.UpstreamTests.test_staleRetried",
        ),
        (
            "A second listener inside hid the client from limits, and everything was counted twice.",
            "control.test_local.LocalPlaneTests.test_tally",
        ),
        (
            "Throughput was divided by the age of the process, and sank from day to day.",
            "commands.test_top.FrameTests.test_rate",
        ),
        (
            "Tables with an entry for each address never forgot any.",
            "guards.test_pace.ArrivalsTests.test_bounded",
        ),
        (
            "Something waited in the event loop, and every connection waited with it.",
            "live.test_siege.SiegeTests.test_lag",
        ),
        (
            "The name in a ClientHello that came in pieces was not found.",
            "plane.test_greeting.TLSTests.test_everySplit",
        ),
        (
            "What had failed was tried again in another way, and again, without an end.",
            "upstream.test_repeats.RepeatTests.test_atMostTwo",
        ),
        (
            "What cleaned up after a connection met the next one of the same number.",
            "plane.test_poller.PollerTests.test_numberUsedAgain",
        ),
        (
            "Routes were copied in depth, and lost their functions.",
            "test_routes.CombiningTests.test_clone",
        ),
        (
            "Networks of IPv6 never matched, and ranges beyond 128.0.0.0 were in a wrong order.",
            "guards.test_lists.ListsTests.test_reference",
        ),
        (
            "Names that programs import changed every few weeks, and the manual named the old ones.",
            "test_documentation.PythonTests.test_pages",
        ),
        (
            "An attack wrote as many lines to the log as it had packets.",
            "plane.test_misses.DigestTests.test_firstAndCount",
        ),
        (
            "A certificate that could not be had was ordered a thousand times.",
            "service.test_mishaps.IssueStorm.test_failing",
        ),
        (
            "A renewal deleted the certificate that was still good, and then failed.",
            "service.test_mishaps.RenewalThatDeletedTheGoodOneFirst.test_kept",
        ),
        (
            "Certificates were kept by the names of routes, and a new name lost them or got another's.",
            "service.test_mishaps.StoreKeyedByTheNameOfTheRoute.test_renamed",
        ),
        (
            "A full disk left empty files, or ended the issuance of certificates for good.",
            "service.test_mishaps.FullDisk.test_goesOn",
        ),
        (
            "The authority was away at the start, and there was no certificate before a restart.",
            "service.test_mishaps.OutageAtTheStart.test_comesBack",
        ),
        (
            "A reload closed the WebSockets of routes that it had not changed.",
            "control.test_local.LocalPlaneTests.test_tableUnderLiveConnections",
        ),
        (
            "A reload was refused, nobody was told, and its test was green.",
            "service.test_reloading.ReloadingTests.test_refused",
        ),
        (
            "Certificates of a few days were renewed without an end, thirty days before their end.",
            "service.test_mishaps.WindowOfThirtyDays.test_shortLived",
        ),
    )
)
