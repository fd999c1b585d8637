%% One handshake of Erlang/OTP's ssl: client.escript PORT NAME. Trusts everybody: the other side is ours.
main([Port, Name]) ->
    {ok, _} = application:ensure_all_started(ssl),
    Options = [{verify, verify_none}, {server_name_indication, Name}, {active, false}, binary],
    {ok, Socket} = ssl:connect("127.0.0.1", list_to_integer(Port), Options, 10000),
    ok = ssl:send(Socket, <<"hello\n">>),
    ssl:recv(Socket, 0, 2000),
    ssl:close(Socket).
