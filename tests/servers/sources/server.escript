#!/usr/bin/env escript
%% An Erlang/OTP ssl server, as permissive as the library allows: PORT KEY CERT [KEY CERT]...
-mode(compile).

main([Port | Files]) ->
    logger:set_primary_config(level, none),
    {ok, _} = application:ensure_all_started(ssl),
    Versions = [Version || {available, All} <- ssl:versions(), Version <- All],
    Ciphers = lists:usort(lists:append([suites(Kind, Version) || Version <- Versions, Kind <- [all, anonymous]])),
    {ok, Listener} = ssl:listen(list_to_integer(Port), [
        {ip, {127, 0, 0, 1}},
        {reuseaddr, true},
        {backlog, 1024},
        {active, false},
        {versions, Versions},
        {ciphers, Ciphers},
        {eccs, ssl:eccs()},
        {certs_keys, certificates(Files)},
        {client_renegotiation, true},
        {log_level, none}
    ]),
    accept(Listener).

suites(Kind, Version) ->
    try ssl:cipher_suites(Kind, Version) catch _:_ -> [] end.

certificates([Key, Cert | Rest]) ->
    [#{keyfile => Key, certfile => Cert} | certificates(Rest)];
certificates([]) ->
    [].

accept(Listener) ->
    case ssl:transport_accept(Listener) of
        {ok, Socket} ->
            Pid = spawn(fun() -> receive go -> serve(Socket) end end),
            ssl:controlling_process(Socket, Pid),
            Pid ! go;
        {error, _} ->
            ok
    end,
    accept(Listener).

serve(Socket) ->
    case ssl:handshake(Socket, 10000) of
        {ok, Secure} ->
            case ssl:recv(Secure, 0, 10000) of
                {ok, _} -> ssl:send(Secure, <<"HTTP/1.0 200 OK\r\n\r\ntlswire\n">>);
                {error, _} -> ok
            end,
            ssl:close(Secure);
        {error, _} ->
            ok
    end.
